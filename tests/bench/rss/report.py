"""Tables of `make bench-rss`: medians over the runs, minus stock's base for the same workload, in MiB."""

from __future__ import annotations

from dataclasses import dataclass

from rich.console import Group, RenderableType

from bench.shared import memory_tables
from bench.shared.figures import median, ratio
from bench.shared.memory_tables import mib
from bench.shared.results import MEBIBYTE, Read, Results
from bench.shared.runner import Sample
from bench.shared.tables import number, table

STOCK = "pymalloc"
LEANEST = "jemalloc decay 0"
OURS = "hakmem"
RETAIN_BYTES = 4 * MEBIBYTE
RETAIN_SHARE = 0.05

PHASES: dict[str, Read] = {
    "peak": lambda sample: sample.peak_bytes,
    "right after the drop": lambda sample: sample.dropped_bytes,
    "300 ms after the drop": lambda sample: sample.soon_bytes,
    "after 2 s idle": lambda sample: sample.idle_bytes,
}


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


def all_tables(results: Results) -> RenderableType:
    others = [peer for peer in (STOCK, LEANEST) if peer in results.peers]
    tables: list[RenderableType] = [memory_tables.base_table(results)]
    tables += [memory_tables.memory_table(results, phase, read, others) for phase, read in PHASES.items()]
    tables += memory_tables.cpu_tables(results)
    if OURS in results.peers:
        tables.append(floor_table(results))
    if results.failures():
        tables.append(memory_tables.failure_table(results.failures()))
    return Group(*(part for made in tables for part in (made, "")))
