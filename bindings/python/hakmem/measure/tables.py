"""Tables on standard output, by rich; without colour and without folding where nobody watches."""

import shutil
import sys
from collections.abc import Sequence
from typing import Any

from hakmem.measure.extras import require
from hakmem.measure.figures import LOOKS_MIN, MEMORY_NAMES, NAMES
from hakmem.shown import shown, shown_on

MEBIBYTE = 1024 * 1024
WIDTH_WITHOUT_TERMINAL = 160
# Of a program that failed.
LAST_LINES = 3
LAST_LINE_LENGTH_MAX = 500
HEADINGS = {
    "peak_bytes": "peak",
    "end_bytes": "end",
    "idle_bytes": "idle tail",
    "mean_bytes": "mean",
    "cpu_seconds": "cpu s",
    "wall_seconds": "wall s",
}


def console(to_errors: bool = False) -> Any:
    """Return a rich console for standard output, or standard error."""
    rich_console = require("rich.console")
    stream = sys.stderr if to_errors else sys.stdout
    # Asked here: rich takes any COLUMNS and LINES for numbers, and prints nothing where they are 0.
    columns, lines = shutil.get_terminal_size()
    if stream.isatty():
        return rich_console.Console(file=stream, highlight=False, width=columns, height=lines)
    width = WIDTH_WITHOUT_TERMINAL
    return rich_console.Console(file=stream, highlight=False, no_color=True, width=width, height=lines)


def make_table(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> Any:
    """Return a table for standard output: the first column to the left, figures to the right."""
    rich_text = require("rich.text").Text

    def text(words: str, **options: Any) -> Any:
        return rich_text(shown_on(sys.stdout, words), **options)

    table = require("rich.table").Table(
        title=text(title, style="bold", no_wrap=True, overflow="ignore"),  # may be wider than the table
        title_justify="left",
        box=None,
        pad_edge=False,
        padding=(0, 2, 0, 0),
    )
    for index, column in enumerate(columns):
        table.add_column(text(column), justify="left" if index == 0 else "right", no_wrap=True)
    for row in rows:
        table.add_row(*(text(cell) for cell in row))
    return table


def print_plain(text: str) -> None:
    """Print a line: brackets are not markup, a long one folds at words on a terminal only."""
    console().print(require("rich.text").Text(shown_on(sys.stdout, text)), soft_wrap=not sys.stdout.isatty())


def format_figure(name: str, value: float | None) -> str:
    """Return a figure in MiB or seconds; a dash where it was not measured."""
    if value is None:
        return "-"
    return f"{value / MEBIBYTE:.1f}" if name in MEMORY_NAMES else f"{value:.2f}"


def figure_rows(result: dict[str, Any]) -> list[list[str]]:
    """Return the rows of the table of medians; a failed allocator's row says so."""
    rows = []
    for allocator in result["allocators"]:
        summary = result["summary"].get(allocator["name"])
        if summary is None:
            continue
        if summary["failures"]:
            rows.append([allocator["name"], "failed", *[""] * (len(NAMES) - 1)])
        else:
            rows.append([allocator["name"], *(format_figure(name, summary["medians"][name]) for name in NAMES)])
    return rows


def ratio_rows(result: dict[str, Any]) -> list[list[str]]:
    """Return the rows of the table of ratios, each with the spread of the allocator's runs."""
    rows = []
    for allocator in result["allocators"]:
        summary = result["summary"].get(allocator["name"])
        if summary is None or summary["failures"] or allocator["name"] == result["baseline"]:
            continue
        cells = []
        for name in NAMES:
            ratio, spread = summary["ratios"][name], summary["spread_percent"][name]
            cells.append("-" if ratio is None else f"{ratio:.2f}" + ("" if spread is None else f" ±{spread / 2:.0f} %"))
        rows.append([allocator["name"], *cells])
    return rows


def notes(result: dict[str, Any]) -> list[str]:
    """Return what a reader must know beside the tables: failures, what is missing, what was left out."""
    lines = []
    for name, summary in result["summary"].items():
        if summary["failures"]:
            count = summary["runs_failed"]
            lines.append(f"{name}: failed in {count} run{'s' * (count > 1)}: {'; '.join(summary['failures'])}")
            lines += [f"    {line}" for line in _first_failed_output(result, name)]
        elif not summary["runs_counted"]:
            lines.append(f"{name}: no run was finished")
        elif summary["looks_min"] < LOOKS_MIN:
            lines.append(f"{name}: ended too soon for all but its peak: looks at its memory: {summary['looks_min']}")
    lines += [f"{row['name']}: not measured: {row['missing']}" for row in result["allocators"] if row["missing"]]
    gaps = {run["allocator"]: run["largest_gap_seconds"] for run in result["runs"] if run["largest_gap_seconds"] > 0.5}
    lines += [f"{name}: looks were up to {gap:.1f} s apart; a short peak may be missing" for name, gap in gaps.items()]
    if result["was_interrupted"]:
        finished = sum(not run["failure"] for run in result["runs"])
        wanted = result["runs_wanted"] * len(result["summary"])
        lines.append(f"interrupted: {finished} of {wanted} runs were finished")
    return lines


def heading(result: dict[str, Any]) -> str:
    """Return the title of the table of medians."""
    counts = [row["runs_counted"] for row in result["summary"].values() if not row["failures"]]
    fewest, most = min(counts, default=0), max(counts, default=0)
    runs = f"{fewest}" if fewest == most else f"{fewest} to {most}"
    median = "median of " if most > 1 else ""
    return f"MiB of {result['memory']}, seconds; {median}{runs} run{'s' * (most != 1)} each"


def print_result(result: dict[str, Any]) -> None:
    """Print tables, notes and the verdict."""
    output = console()
    columns = ["", *HEADINGS.values()]
    output.print(make_table(heading(result), columns, figure_rows(result)))
    ratios = ratio_rows(result)
    if ratios:
        output.print()
        output.print(make_table(f"ratio to {result['baseline']}, ± half the spread of its runs", columns, ratios))
    print()
    for line in notes(result):
        print_plain(line)
    print_plain(result["verdict"]["text"])


def _first_failed_output(result: dict[str, Any], name: str) -> list[str]:
    for run in result["runs"]:
        if run["allocator"] == name and run["output_tail"]:
            lines = run["output_tail"].split("\n")[-LAST_LINES:]
            return [shown(line.rstrip(), LAST_LINE_LENGTH_MAX) for line in lines]
    return []
