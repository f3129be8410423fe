"""Tables and targets of `make bench-arrays`: medians over the runs; memory in MiB above stock's after the imports."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Group, RenderableType

from bench.arrays.times import Times, judge_times, times_table
from bench.shared import memory_tables
from bench.shared.results import MEBIBYTE, Read, Results
from bench.shared.targets import each_of
from bench.shared.verdicts import Verdict

STOCK, OURS, LEANEST = "glibc", "hakmem", "jemalloc decay 0"
WORKER = "gunicorn worker with CSV"
SURVIVORS = "one in a hundred survives"
IDLE = "idle 0.8 s after the drop"
PHASES: dict[str, Read] = {
    "peak": lambda sample: sample.peak_bytes,
    "right after the drop": lambda sample: sample.dropped_bytes,
    IDLE: lambda sample: sample.idle_bytes,
}
PEAK_SHARE_MAX, ROOM_BYTES = 0.05, 8 * MEBIBYTE


def all_tables(results: Results, all_times: Sequence[Times]) -> RenderableType:
    tables: list[RenderableType] = []
    if results.samples:
        others = [peer for peer in (STOCK, LEANEST) if peer in results.peers and OURS in results.peers]
        tables.append(memory_tables.base_table(results))
        tables += [memory_tables.memory_table(results, phase, read, others) for phase, read in PHASES.items()]
    if all_times:
        tables.append(times_table(all_times, STOCK, OURS))
    failures = [*results.failures(), *(sample for times in all_times for sample in times.samples if sample.failure)]
    if failures:
        tables.append(memory_tables.failure_table(failures))
    return Group(*(part for made in tables for part in (made, "")))


def judge(results: Results, all_times: Sequence[Times]) -> list[Verdict]:
    stories = [name for name in results.workloads if name not in (WORKER, SURVIVORS)]
    return [
        each_of(stories, f"{IDLE}: at most the base + 5 % of the peak + 8 MiB", lambda name: _is_back(results, name)),
        _at_most(results, SURVIVORS, STOCK, 0.25),
        _at_most(results, WORKER, STOCK, 0.50),
        _at_most(results, WORKER, LEANEST, 1.00),
        *judge_times(all_times, STOCK),
    ]


def _is_back(results: Results, name: str) -> tuple[bool, str] | None:
    """All of it above the process's own base."""
    base, peak, idle = (
        results.absolute(name, OURS, read) for read in (lambda sample: sample.base_bytes, PHASES["peak"], PHASES[IDLE])
    )
    if base is None or peak is None or idle is None:
        return None
    over = idle - base - PEAK_SHARE_MAX * (peak - base) - ROOM_BYTES
    return over <= 0, f"{over / MEBIBYTE:.1f} MiB over the limit"


def _at_most(results: Results, name: str, peer: str, limit: float) -> Verdict:
    target = f"{IDLE}: {name}: at most {limit:.2f} of {peer}"
    if name not in results.workloads or peer not in results.peers:
        return Verdict(target, "not measured", "")
    ratio = results.ratio_to(name, peer, PHASES[IDLE])
    if ratio is None:
        return Verdict(target, "missed", "failed")
    return Verdict(target, "met" if ratio <= limit else "missed", f"{ratio:.2f}")
