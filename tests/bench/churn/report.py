"""Tables of `make bench-churn`: a row per program, the judged ones above their mean."""

from __future__ import annotations

from collections.abc import Callable

from rich.console import Group, RenderableType

from bench.churn import results as figures
from bench.churn.cases import GROUPS
from bench.churn.contenders import STOCK
from bench.churn.results import ChurnResults, Figure
from bench.shared import memory_tables
from bench.shared.figures import geometric_mean
from bench.shared.results import MEBIBYTE
from bench.shared.tables import number, table

JUDGED = GROUPS["judged"]
Cell = Callable[[str, str], str]


def measured(results: ChurnResults, group: str) -> list[str]:
    return [name for name in GROUPS[group] if name in results.workloads]


def judged_mean(results: ChurnResults, peer: str, read: Figure) -> float | None:
    """Ratio to stock, over the judged programs that were measured."""
    names = measured(results, "judged")
    return geometric_mean(results.figure_ratio(name, peer, STOCK, read) for name in names)


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
        tables.append(memory_tables.failure_table(results))
    return Group(*(part for made in tables for part in (made, "")))


def ratio_table(results: ChurnResults, title: str, read: Figure) -> RenderableType:
    peers = results.peers[1:]

    def cell(name: str, peer: str) -> str:
        return number(results.figure_ratio(name, peer, STOCK, read), 2)

    means = [number(judged_mean(results, peer, read), 2) for peer in peers]
    return table(title, ["", *peers], _rows(results, peers, cell, ["geometric mean of these", *means]))


def figure_table(results: ChurnResults, title: str, cell: Cell) -> RenderableType:
    return table(title, ["", *results.peers], _rows(results, results.peers, cell, None))


def _rows(results: ChurnResults, peers: list[str], cell: Cell, mean: list[str] | None) -> list[list[str]]:
    """The groups, with an empty row between; the mean belongs to the first."""
    empty = [""] * (len(peers) + 1)
    rows: list[list[str]] = []
    for group in GROUPS:
        names = measured(results, group)
        if not names:
            continue
        rows += [empty] if rows else []
        rows += [[name, *(cell(name, peer) for peer in peers)] for name in names]
        rows += [mean] if mean and group == "judged" else []
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
