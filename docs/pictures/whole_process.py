"""Draws what `make bench-process` found: resident memory after the drop, as a share of the peak under glibc.

    PYTHONPATH=tests python docs/pictures/whole_process.py [--kept 1] [--out FILE] [build/bench/process.json]

The interpreter is one of an environment with hakmem and matplotlib (pip install 'hakmem[measure]').
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import picture
from bench.process.report import IDLE, LEANEST, OURS, PHASES, STOCK
from bench.shared.results import MEBIBYTE, Results
from bench.shared.runner import Sample

HEIGHT_INCHES = 5.6
# Of each peer: colour, mark, size of the mark.
MARKS = {
    STOCK: ("#222222", "|", 14),
    "hakmem": ("#bf8700", "s", 6),
    "tcmalloc-minimal": ("#8c959f", "v", 6),
    "mimalloc purge delay 0": ("#8250df", "D", 5),
    LEANEST: ("#d1242f", "o", 7),
    OURS: ("#1a7f37", "o", 9),
}
NAMES = {STOCK: "glibc", "hakmem": "hakmem run, without --all", OURS: "hakmem, all"}


def read(path: Path, kept_percent: str) -> Results:
    """The samples of one share of survivors."""
    rows = [Sample(**row) for row in json.loads(path.read_text())["samples"]]
    wanted = [row for row in rows if row.workload.endswith(f" {kept_percent} %")]
    if not wanted:
        raise SystemExit(f"error: {path} has no samples with {kept_percent} % kept")
    return Results(wanted, STOCK, OURS)


def share_of_peak(results: Results, workload: str, peer: str) -> float | None:
    peak = results.above_stock(workload, STOCK, PHASES["peak"])
    idle = results.above_stock(workload, peer, PHASES[IDLE])
    return None if not peak or idle is None else 100 * max(0.0, idle) / peak


def draw_row(axes: Any, results: Results, row: int, workload: str) -> None:
    axes.axhline(row, color="#d0d7de", linewidth=0.8, zorder=1)
    for peer, (color, mark, size) in MARKS.items():
        share = share_of_peak(results, workload, peer)
        if share is not None:
            axes.plot([share], [row], mark, color=color, markersize=size, markeredgewidth=1.6, zorder=3, clip_on=False)


def draw(results: Results, kept_percent: str, out: Path) -> None:
    figure = picture.new_figure(HEIGHT_INCHES)
    axes = figure.subplots()
    workloads = results.workloads[::-1]
    labels = []
    for row, workload in enumerate(workloads):
        draw_row(axes, results, row, workload)
        peak = results.above_stock(workload, STOCK, PHASES["peak"]) or 0
        labels.append(f"{workload.removesuffix(f' {kept_percent} %')}  ({peak / MEBIBYTE:.0f} MiB)")
    for peer, (color, mark, size) in MARKS.items():
        label = NAMES.get(peer, peer)
        axes.plot([], [], mark, color=color, markersize=size, markeredgewidth=1.6, label=label)
    axes.set_yticks(range(len(labels)), labels)
    axes.set_xlim(left=0)
    axes.set_ylim(-0.6, len(labels) - 0.4)
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="x", color="#eaeef2", linewidth=0.6)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.set_xlabel("resident 0.6 s after the drop, in percent of the peak under glibc (in parentheses)")
    dropped = "all" if kept_percent == "0" else f"all but {kept_percent} %"
    axes.set_title(f"Whole programs: what stays resident after {dropped} was dropped", loc="left", fontsize=11)
    figure.legend(loc="outside lower center", ncols=3, frameon=False, fontsize=9)
    picture.save(figure, out)


def main() -> None:
    parser = picture.command_line(__doc__, "whole-process.png")
    parser.add_argument("file", nargs="?", type=Path, default=Path("build/bench/process.json"))
    parser.add_argument("--kept", default="1", help="percent that was not dropped (%(default)s)")
    arguments = parser.parse_args()
    draw(read(arguments.file, arguments.kept), arguments.kept, arguments.out)


if __name__ == "__main__":
    main()
