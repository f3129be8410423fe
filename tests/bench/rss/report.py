"""Tables of `make bench-rss`: medians over the runs, minus stock's base for the same workload, in MiB."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from rich.console import Group, RenderableType

from bench.rss.runner import Sample
from bench.shared.figures import geometric_mean, median, ratio, spread_percent
from bench.shared.tables import number, table

MEBIBYTE = 1024 * 1024
STOCK = "pymalloc"
LEANEST = "jemalloc decay 0"
OURS = "hakmem"
RETAIN_BYTES = 4 * MEBIBYTE
RETAIN_SHARE = 0.05
# A ratio of two figures near zero says nothing: in ratios a smaller one counts as this much.
SMALLEST_IN_RATIOS = 1 * MEBIBYTE

Read = Callable[[Sample], float]
PHASES: dict[str, Read] = {
    "peak": lambda sample: sample.peak_bytes,
    "right after the drop": lambda sample: sample.dropped_bytes,
    "300 ms after the drop": lambda sample: sample.soon_bytes,
    "after 2 s idle": lambda sample: sample.idle_bytes,
}


class Results:
    """All samples, and figures drawn from them."""

    def __init__(self, samples: Sequence[Sample]) -> None:
        self.samples = samples
        self.workloads = list(dict.fromkeys(sample.workload for sample in samples))
        self.peers = list(dict.fromkeys(sample.peer for sample in samples))

    def of(self, workload: str, peer: str) -> list[Sample]:
        """Empty unless every run of this case came to its end: a case that fails once has failed."""
        found = [sample for sample in self.samples if sample.workload == workload and sample.peer == peer]
        return [] if any(sample.failure for sample in found) else found

    def failures(self) -> list[Sample]:
        return [sample for sample in self.samples if sample.failure]

    def absolute(self, workload: str, peer: str, read: Read) -> float | None:
        return median([read(sample) for sample in self.of(workload, peer)])

    def above_stock(self, workload: str, peer: str, read: Read) -> float | None:
        """Bytes above stock's base, the same base for every peer."""
        base = self.absolute(workload, STOCK, lambda sample: sample.base_bytes)
        figure = self.absolute(workload, peer, read)
        return None if base is None or figure is None else figure - base

    def ratio_to(self, workload: str, peer: str, read: Read) -> float | None:
        """Of hakmem's figure to that of the peer."""
        ours, theirs = self.above_stock(workload, OURS, read), self.above_stock(workload, peer, read)
        if ours is None or theirs is None:
            return None
        return max(ours, SMALLEST_IN_RATIOS) / max(theirs, SMALLEST_IN_RATIOS)

    def cpu(self, workload: str, peer: str) -> float | None:
        return self.absolute(workload, peer, lambda sample: sample.cpu_seconds)

    def cpu_ratio(self, workload: str, peer: str) -> float | None:
        """Of the peer to stock."""
        return ratio(self.cpu(workload, peer), self.cpu(workload, STOCK))

    def best_cpu_ratio(self, workload: str, peer: str) -> float | None:
        """The same of the fastest runs: what the rest of the machine disturbs least."""
        ours, stock = (min((s.cpu_seconds for s in self.of(workload, name)), default=None) for name in (peer, STOCK))
        return ratio(ours, stock)


@dataclass
class Heap:
    """How near hakmem is to its floor, 300 ms after the drop, by the kernel's count."""

    floor_bytes: float
    heap_bytes: float
    limit_bytes: float


def heap_of(sample: Sample) -> Heap:
    """The floor: OS pages that hold a live block. The heap: what the process gained since the base, plus what the
    heap held then. All that is not heap, thread stacks for example, counts as if it were."""
    base, idle = sample.hakmem_base, sample.hakmem_idle
    resident_at_base = sum(base[name] for name in ("live_bytes", "pinned_bytes", "cached_bytes", "free_resident_bytes"))
    floor = idle["live_bytes"] + idle["pinned_bytes"]
    heap = sample.soon_bytes - sample.base_bytes + resident_at_base
    return Heap(floor, heap, 1.10 * floor + RETAIN_BYTES + RETAIN_SHARE * idle["live_bytes"])


def mib(size_bytes: float | None) -> str:
    return number(None if size_bytes is None else size_bytes / MEBIBYTE, missing="failed")


def memory_table(results: Results, phase: str) -> RenderableType:
    read = PHASES[phase]
    others = [peer for peer in (STOCK, LEANEST) if peer in results.peers]
    rows = []
    for workload in results.workloads:
        figures = [mib(results.above_stock(workload, peer, read)) for peer in results.peers]
        ratios = [number(results.ratio_to(workload, peer, read), 2) for peer in others]
        rows.append([workload, *figures, *ratios])
    means = [geometric_mean(results.ratio_to(name, peer, read) for name in results.workloads) for peer in others]
    rows.append(["geometric mean", *[""] * len(results.peers), *(number(mean, 2) for mean in means)])
    columns = ["", *results.peers, *(f"{OURS} / {peer}" for peer in others)]
    return table(f"{phase}: MiB above {STOCK}'s base", columns, rows, last_rows=1)


def base_table(results: Results) -> RenderableType:
    def base(sample: Sample) -> float:
        return sample.base_bytes

    rows = [[name, *(mib(results.absolute(name, peer, base)) for peer in results.peers)] for name in results.workloads]
    return table("base: MiB, absolute", ["", *results.peers], rows)


def cpu_table(results: Results) -> RenderableType:
    rows = []
    for workload in results.workloads:
        seconds = [number(results.cpu(workload, peer), 2, "failed") for peer in results.peers]
        spreads = [spread_percent([s.cpu_seconds for s in results.of(workload, peer)]) for peer in results.peers]
        rows.append([workload, *seconds, *(number(spread, 0) for spread in spreads)])
    columns = ["", *results.peers, *(f"{peer} +-%" for peer in results.peers)]
    return table("cpu seconds at process exit, and how far apart the runs lie", columns, rows)


def cpu_ratio_table(results: Results) -> RenderableType:
    others = results.peers[1:]
    rows = [
        [workload, *(number(results.cpu_ratio(workload, peer), 2) for peer in others)] for workload in results.workloads
    ]
    for title, read in (("geometric mean", results.cpu_ratio), ("of the fastest runs", results.best_cpu_ratio)):
        means = [geometric_mean(read(name, peer) for name in results.workloads) for peer in others]
        rows.append([title, *(number(mean, 2) for mean in means)])
    return table(f"cpu time, ratio to {STOCK}", ["", *others], rows, last_rows=2)


def floor_table(results: Results) -> RenderableType:
    """One row per workload: where hakmem's resident memory is."""
    names = ["live_bytes", "pinned_bytes", "cached_bytes", "free_resident_bytes", "metadata_bytes"]
    rows = []
    for workload in results.workloads:
        samples = results.of(workload, OURS)
        if not samples:
            rows.append([workload, *["failed"] * (len(names) + 4)])
            continue
        parts = [median([sample.hakmem_idle[name] for sample in samples]) for name in names]
        heaps = [heap_of(sample) for sample in samples]
        floor = median([heap.floor_bytes for heap in heaps])
        heap = median([heap.heap_bytes for heap in heaps])
        limit = median([heap.limit_bytes for heap in heaps])
        rows.append([workload, *map(mib, parts), mib(floor), mib(heap), number(ratio(heap, floor), 2), mib(limit)])
    columns = [name.removesuffix("_bytes").replace("_", " ") for name in names]
    return table(
        f"{OURS}: MiB by its own figures after 2 s idle; heap: resident 300 ms after the drop by the kernel's",
        ["", *columns, "floor", "heap", "heap / floor", "limit"],
        rows,
    )


def failure_table(results: Results) -> RenderableType:
    rows = [[sample.workload, sample.peer, sample.failure] for sample in results.failures()]
    return table("failed", ["workload", "peer", "why"], rows)


def all_tables(results: Results) -> RenderableType:
    tables: list[RenderableType] = [base_table(results)]
    tables += [memory_table(results, phase) for phase in PHASES]
    tables += [cpu_table(results), cpu_ratio_table(results)]
    if OURS in results.peers:
        tables.append(floor_table(results))
    if results.failures():
        tables.append(failure_table(results))
    return Group(*(part for made in tables for part in (made, "")))
