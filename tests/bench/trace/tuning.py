"""Records the programs of programs.py once and replays them: the figures that placement and bounds are tuned by.

make bench-tuning                                                   figures of this core
make bench-tuning BENCH_ARGS="--compare build/bench/earlier.json"   and how they differ from those of another one

Traces lie in build/bench/traces until they are removed: to compare, replay the same ones. All figures but the page
faults come out the same every time.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from rich.table import Table

from bench.shared import command, machine, tables
from bench.shared.command import words
from bench.shared.figures import geometric_mean, ratio
from bench.shared.tables import number, table
from bench.trace.programs import PROGRAMS, absent
from bench.trace.replaying import count_instructions, record, replay, workload_program

Figures = dict[str, float | None]

# Of these a smaller one is better.
COMPARED = {
    "instructions": "instr.",
    "pinned peak": "pinned: peak",
    "pinned mean": "mean",
    "pinned drop": "drop",
    "pinned idle": "idle",
    "resident peak": "resident: peak",
    "resident mean": "mean ",
    "resident idle": "idle ",
    "resident trimmed": "trimmed",
    "faults": "faults",
    "purge calls": "purge calls",
    "purged": "purged",
}


def parse_arguments() -> argparse.Namespace:
    parser = command.Parser("bench.trace.tuning", __doc__)
    out = "the folder of traces/ and the JSON (%(default)s)"
    parser.add_argument("--out", type=command.folder, default=Path("build/bench"), help=out)
    parser.add_argument("--native", type=Path, default=Path("build/bench/native"), help="the folder of replay")
    parser.add_argument("--programs", default="", help=command.choice_of(PROGRAMS))
    parser.add_argument("--json", type=Path, help="where the figures go (default: tuning.json in --out)")
    parser.add_argument("--compare", type=Path, metavar="JSON", help="the figures of an earlier run")
    parser.add_argument("--jobs", type=command.positive_whole, default=2, help="replays at once (%(default)s)")
    return parser.parse_args()


def chosen_programs(wanted: list[str]) -> list[str]:
    command.check_names("program", wanted, PROGRAMS)
    why = absent()
    if why and "tests" in wanted:
        command.refuse(f"program 'tests' cannot be recorded: {why}")
    if why and not wanted:
        print(f"left out: tests: {why}", file=sys.stderr)
    return wanted or [name for name in PROGRAMS if not why or name != "tests"]


def read_figures(file: Path) -> dict[str, Figures]:
    """Those of an earlier run."""
    try:
        figures: dict[str, Figures] = json.loads(file.read_text())["programs"]
    except OSError as error:
        command.refuse(f"--compare {str(file)!r}: {error.strerror}")
    except (ValueError, KeyError, TypeError):
        command.refuse(f"--compare {str(file)!r} is no JSON of make bench-tuning")
    return figures


def trace_of(out: Path, name: str) -> Path:
    folder = out / "traces"
    folder.mkdir(parents=True, exist_ok=True)
    return folder / ("".join(letter if letter.isalnum() else "-" for letter in name) + ".trace")


def record_missing(out: Path, name: str) -> None:
    trace = trace_of(out, name)
    if trace.exists():
        return
    unfinished = trace.with_suffix(".part")
    record(out, unfinished, workload_program(out, name, PROGRAMS[name][1]))
    unfinished.rename(trace)


def measure(native: Path, trace: Path) -> Figures:
    pages = replay(native, "pages", trace)
    instructions = count_instructions(native, trace)
    events = sum(row["events"] for row in replay(native, "time", trace)[:-1])
    phases: dict[str, dict[str, Any]] = {row["phase"]: row for row in pages}
    whole, drop, idle = pages[-1], phases["drop"], phases["idle"]
    return {
        "events": events,
        "instructions": None if instructions is None else instructions / events,
        "ideal peak": whole["ideal_peak"],
        "classes peak": whole["classes_peak"],
        "pinned peak": whole["pinned_peak"],
        "resident peak": whole["resident_peak"],
        "ideal mean": whole["ideal_mean"],
        "pinned mean": whole["pinned_mean"],
        "resident mean": whole["resident_mean"],
        "ideal drop": drop["ideal_end"],
        "pinned drop": drop["pinned_end"],
        "resident drop": drop["resident_end"],
        "classes idle": idle["classes_end"],
        "pinned idle": idle["pinned_end"],
        "resident idle": idle["resident_end"],
        "resident trimmed": whole["resident_end"],
        "waste percent": whole["waste_percent"],
        "faults": whole["faults"],
        "purge calls": whole["purges"],
        "purged": whole["purged"],
    }


def of_ideal(kind: str, when: str) -> Callable[[Figures], str]:
    """Ratio of OS pages to the ideal packing of that moment; while idle the live blocks are those of the drop's end."""
    ideal = f"ideal {'drop' if when == 'idle' else when}"
    return lambda row: number(ratio(row[f"{kind} {when}"], row[ideal]), 2)


def plain(figure: str, digits: int = 0) -> Callable[[Figures], str]:
    return lambda row: number(row[figure], digits)


def figures_table(title: str, columns: dict[str, Callable[[Figures], str]], measured: dict[str, Figures]) -> Table:
    rows = [[name, *(column(row) for column in columns.values())] for name, row in measured.items()]
    return table(title, ["", *columns], rows)


COST = {
    "million events": lambda row: number((row["events"] or 0) / 1e6),
    "instructions per event": plain("instructions", 1),
    "page faults": plain("faults"),
    "purge calls": plain("purge calls"),
    "OS pages purged": plain("purged"),
    "class waste at peak, %": plain("waste percent", 1),
}
SPACE = {
    "ideal peak": plain("ideal peak"),
    "classes": of_ideal("classes", "peak"),
    "pinned": of_ideal("pinned", "peak"),
    "resident": of_ideal("resident", "peak"),
    "ideal drop": plain("ideal drop"),
    "classes ": of_ideal("classes", "idle"),
    "pinned ": of_ideal("pinned", "drop"),
    "resident ": of_ideal("resident", "drop"),
    "pinned, idle": of_ideal("pinned", "idle"),
    "resident, idle": of_ideal("resident", "idle"),
    "pinned, mean": of_ideal("pinned", "mean"),
    "resident, mean": of_ideal("resident", "mean"),
}
SPACE_TITLE = """OS pages. Ideal: live bytes as asked for, without a gap. The rest: ratios to the ideal of that moment.
Classes: blocks of their classes, without a gap; pinned: with a live or cached block; resident: the allocator's"""


def percent(value: float | None) -> str:
    return "-" if value is None else f"{100 * (value - 1):+.1f}"


def comparison_table(measured: dict[str, Figures], earlier: dict[str, Figures]) -> Table:
    ratios = {
        name: [ratio(row[figure], earlier[name].get(figure)) for figure in COMPARED]
        for name, row in measured.items()
        if name in earlier
    }
    rows = [[name, *(percent(value) for value in values)] for name, values in ratios.items()]
    rows.append(["geometric mean", *(percent(geometric_mean(column)) for column in zip(*ratios.values(), strict=True))])
    return table("difference from the earlier run, percent", ["", *COMPARED.values()], rows, last_rows=1)


def main() -> int:
    arguments = parse_arguments()
    names = chosen_programs(words(arguments.programs))
    earlier = read_figures(arguments.compare) if arguments.compare else None
    for name in names:
        record_missing(arguments.out, name)
    with ThreadPoolExecutor(arguments.jobs) as pool:
        every = pool.map(lambda name: measure(arguments.native, trace_of(arguments.out, name)), names)
        measured = dict(zip(names, every, strict=True))
    notes = machine.describe([], sys.orig_argv)
    output = tables.console()
    output.print(machine.heading(notes), markup=False)
    output.print(figures_table("what it costs", COST, measured), "")
    output.print(figures_table(SPACE_TITLE, SPACE, measured), "")
    if earlier is not None:
        output.print(comparison_table(measured, earlier), "")
    file = arguments.json or arguments.out / "tuning.json"
    file.write_text(json.dumps(notes | {"programs": measured}, indent=1) + "\n")
    output.print(f"all figures: {file}", markup=False)
    return 0


if __name__ == "__main__":
    sys.exit(main())
