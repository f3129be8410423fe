"""Tables of resident memory and processor time: a row per workload, a column per peer."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import RenderableType

from bench.shared.figures import geometric_mean, spread_percent
from bench.shared.results import MEBIBYTE, Read, Results
from bench.shared.runner import Sample
from bench.shared.tables import number, table


def mib(size_bytes: float | None) -> str:
    return number(None if size_bytes is None else size_bytes / MEBIBYTE, missing="failed")


def memory_table(results: Results, phase: str, read: Read, others: Sequence[str] = ()) -> RenderableType:
    """With ratios of our figures to those of `others`."""
    rows = []
    for workload in results.workloads:
        figures = [mib(results.above_stock(workload, peer, read)) for peer in results.peers]
        ratios = [number(results.ratio_to(workload, peer, read), 2) for peer in others]
        rows.append([workload, *figures, *ratios])
    means = [geometric_mean(results.ratio_to(name, peer, read) for name in results.workloads) for peer in others]
    rows.append(["geometric mean", *[""] * len(results.peers), *(number(mean, 2) for mean in means)])
    columns = ["", *results.peers, *(f"{results.ours} / {peer}" for peer in others)]
    return table(f"{phase}: MiB above {results.stock}'s base", columns, rows, last_rows=1)


def base_table(results: Results) -> RenderableType:
    def base(sample: Sample) -> float:
        return sample.base_bytes

    rows = [[name, *(mib(results.absolute(name, peer, base)) for peer in results.peers)] for name in results.workloads]
    return table("base: MiB, absolute", ["", *results.peers], rows)


def cpu_table(results: Results) -> RenderableType:
    rows = []
    for workload in results.workloads:
        rows.append([workload, *(number(results.cpu(workload, peer), 2, "failed") for peer in results.peers)])
    return table("cpu seconds at process exit", ["", *results.peers], rows)


def spread_table(results: Results) -> RenderableType:
    rows = []
    for workload in results.workloads:
        spreads = [spread_percent([s.cpu_seconds for s in results.of(workload, peer)]) for peer in results.peers]
        rows.append([workload, *(number(spread, 0) for spread in spreads)])
    return table("cpu seconds: how far apart the runs lie, in percent", ["", *results.peers], rows)


def cpu_ratio_table(results: Results) -> RenderableType:
    others = results.peers[1:]
    rows = [
        [workload, *(number(results.cpu_ratio(workload, peer), 2) for peer in others)] for workload in results.workloads
    ]
    for title, read in (("geometric mean", results.cpu_ratio), ("of the fastest runs", results.best_cpu_ratio)):
        means = [geometric_mean(read(name, peer) for name in results.workloads) for peer in others]
        rows.append([title, *(number(mean, 2) for mean in means)])
    return table(f"cpu time, ratio to {results.stock}", ["", *others], rows, last_rows=2)


def cpu_tables(results: Results) -> list[RenderableType]:
    has_spread = len(results.samples) > len(results.workloads) * len(results.peers)
    spread = [spread_table(results)] if has_spread else []
    return [cpu_table(results), *spread, cpu_ratio_table(results)]


def failure_table(failures: Sequence[Sample]) -> RenderableType:
    rows = [[sample.workload, sample.peer, sample.failure] for sample in failures]
    return table("failed", ["workload", "peer", "why"], rows)
