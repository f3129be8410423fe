"""Tables of `make bench-churn`: a row per program, the judged ones above their means."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

from rich.console import Group, RenderableType

from bench.churn import results as figures
from bench.churn.cases import GROUPS
from bench.churn.contenders import STOCK
from bench.churn.results import ChurnResults, Figure
from bench.shared import memory_tables
from bench.shared.figures import geometric_mean
from bench.shared.results import MEBIBYTE
from bench.shared.tables import number, table

JUDGED_GROUPS = ("judged", "services")
Cell = Callable[[str, str], str]
Means = Callable[[str], list[str]]


def measured(workloads: Collection[str], group: str) -> list[str]:
    return [name for name in GROUPS[group] if name in workloads]


def group_mean(results: ChurnResults, group: str, peer: str, read: Figure) -> float | None:
    """Ratio to stock, over the group's programs that were measured."""
    return geometric_mean(results.figure_ratio(name, peer, STOCK, read) for name in measured(results.workloads, group))


def all_tables(results: ChurnResults) -> RenderableType:
    tables = [
        ratio_table(results, f"processor time, each stretch in its fastest run, ratio to {STOCK}", figures.cpu),
        figure_table(results, "the fastest run, seconds: in the program + in the kernel", _seconds(results)),
        *_spread(results),
        figure_table(results, "resident while it works: MiB, mean over the time", _mib(results, figures.mean)),
        ratio_table(results, f"the same, ratio to {STOCK}", figures.mean),
        figure_table(results, "peak: MiB", _mib(results, figures.peak)),
        figure_table(results, "idle, 0.6 s after the end of the work: MiB", _mib(results, figures.idle)),
        figure_table(results, "page faults, thousands", _thousands(results, figures.faults)),
    ]
    if results.failures():
        tables.append(memory_tables.failure_table(results.failures()))
    return Group(*(part for made in tables for part in (made, "")))


def ratio_table(results: ChurnResults, title: str, read: Figure) -> RenderableType:
    peers = results.peers[1:]

    def cell(name: str, peer: str) -> str:
        return number(results.figure_ratio(name, peer, STOCK, read), 2)

    def means(group: str) -> list[str]:
        return [number(group_mean(results, group, peer, read), 2) for peer in peers]

    return table(title, ["", *peers], grouped_rows(results.workloads, peers, cell, means))


def figure_table(results: ChurnResults, title: str, cell: Cell) -> RenderableType:
    return table(title, ["", *results.peers], grouped_rows(results.workloads, results.peers, cell, None))


def grouped_rows(workloads: Collection[str], peers: Sequence[str], cell: Cell, means: Means | None) -> list[list[str]]:
    """The groups, with an empty row between; those that are judged have a mean."""
    empty = [""] * (len(peers) + 1)
    rows: list[list[str]] = []
    for group in GROUPS:
        names = measured(workloads, group)
        if not names:
            continue
        rows += [empty] if rows else []
        rows += [[name, *(cell(name, peer) for peer in peers)] for name in names]
        rows += [["geometric mean of these", *means(group)]] if means and group in JUDGED_GROUPS else []
    return rows


def _mib(results: ChurnResults, read: Figure) -> Cell:
    return lambda name, peer: memory_tables.mib(results.figure(name, peer, read))


def _thousands(results: ChurnResults, read: Figure) -> Cell:
    def cell(name: str, peer: str) -> str:
        found = results.figure(name, peer, read)
        return number(None if found is None else found / 1000, missing="failed")

    return cell


def _seconds(results: ChurnResults) -> Cell:
    def cell(name: str, peer: str) -> str:
        sample = results.fastest(name, peer)
        return "failed" if sample is None else f"{sample.user_seconds:.2f} + {sample.system_seconds:.2f}"

    return cell


def _spread(results: ChurnResults) -> list[RenderableType]:
    has_spread = len(results.samples) > len(results.workloads) * len(results.peers)
    return [memory_tables.spread_table(results)] if has_spread else []


def mib_text(size_bytes: float) -> str:
    return f"{size_bytes / MEBIBYTE:.1f} MiB"
