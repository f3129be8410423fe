"""Tables of part (e): heap curve, thread curve, pauses."""

from __future__ import annotations

from rich.console import RenderableType

from bench.shared.figures import median, ratio
from bench.shared.tables import number, table
from bench.speed.report import OURS, Results, smallest, value_table


def curve_tables(results: Results, part: str) -> list[RenderableType]:
    if part == "pauses":
        return [pause_table(results, kind) for kind in ("malloc", "free")]
    made = [value_table(results, part, median, ", median process"), our_ratio_table(results, part)]
    if part == "thread curve":
        title = "(e) KiB resident per idle thread that holds 16 blocks, its stack included, median process"
        return [*made, figure_table(results, part, "resident_bytes_per_idle_thread", 1024, title, 1)]
    return [
        *made,
        figure_table(results, part, "grow_ns", 1, "(e) cpu ns per block while the heap grows, median process", 1),
        figure_table(results, part, "drop_ns", 1, "(e) cpu ns per block while it is dropped, median process", 1),
        figure_table(results, part, "resident_churned", 1, "(e) resident bytes per live byte after the churn", 2),
    ]


def our_ratio_table(results: Results, part: str) -> RenderableType:
    others = [peer for peer in results.peers(part) if peer != OURS]
    rows = [
        [case, *(number(results.ratio(part, case, OURS, peer, median), 2, "failed") for peer in others)]
        for case in results.cases(part)
    ]
    return table("ratio of hakmem to each peer, median processes", ["", *(f"{OURS} / {peer}" for peer in others)], rows)


def figure_table(results: Results, part: str, name: str, unit: float, title: str, digits: int) -> RenderableType:
    peers = results.peers(part)
    rows = []
    for case in results.cases(part):
        values = [ratio(_median_figure(results, part, case, peer, name), unit) for peer in peers]
        if any(value is not None for value in values):
            rows.append([case, *(number(value, digits, "failed") for value in values)])
    return table(title, ["", *peers], rows)


def _median_figure(results: Results, part: str, case: str, peer: str, name: str) -> float | None:
    return median([s.figures[name] for s in results.of(part, case, peer) if name in s.figures])


def pause_table(results: Results, kind: str) -> RenderableType:
    """Rows are peers here: the columns are what matters of one."""
    names = ["50 %", "99 %", "99.9 %", "99.99 %", "99.9999 %", "longest", "longest by the wall"]
    counts = ["above 100 us", "above 1 ms"]
    rows = []
    for peer in results.peers("pauses"):
        of_peer = results.of("pauses", "grow and drop", peer)

        def figures(name: str, peer: str = peer) -> float | None:
            return _median_figure(results, "pauses", "grow and drop", peer, f"{kind} {name}")

        longest = smallest([sample.figures[f"{kind} longest"] for sample in of_peer])
        rows.append(
            [
                peer,
                *(number(ratio(figures(name), 1000), 2, "failed") for name in names),
                number(ratio(longest, 1000), 2, "failed"),
                *(number(figures(name), 0, "failed") for name in counts),
            ]
        )
    title = f"(e) single calls of {kind}: us that so many of them stay below, medians of the processes"
    return table(title, ["", *names, "longest, best process", *counts], rows)
