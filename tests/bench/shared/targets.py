"""Judges figures of workloads by targets that several benchmarks have."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from bench.shared.figures import geometric_mean
from bench.shared.results import MEBIBYTE, Read, Results
from bench.shared.verdicts import Verdict

LEANER_BY_BYTES = 4 * MEBIBYTE


def each_meets(results: Results, target: str, excess: Callable[[str], tuple[bool, str] | None]) -> Verdict:
    """For a target that holds for every workload."""
    return each_of(results.workloads, target, excess)


def each_of(workloads: Sequence[str], target: str, excess: Callable[[str], tuple[bool, str] | None]) -> Verdict:
    """Names those that miss it; a workload that failed misses it."""
    misses = []
    for workload in workloads:
        is_met, detail = excess(workload) or (False, "failed")
        if not is_met:
            misses.append(f"{workload}: {detail}")
    if not workloads:
        return Verdict(target, "not measured", "")
    return Verdict(target, "missed" if misses else "met", "; ".join(misses) or f"on all {len(workloads)} workloads")


def mean_at_most(target: str, ratios: Sequence[float | None], limit: float) -> Verdict:
    mean = geometric_mean(ratios)
    if not ratios:
        return Verdict(target, "not measured", "")
    if mean is None:
        return Verdict(target, "missed", "all workloads failed")
    if None in ratios:
        return Verdict(target, "missed", f"{list(ratios).count(None)} workloads failed; the others: {mean:.3f}")
    return Verdict(target, "met" if mean <= limit else "missed", f"{mean:.3f}")


def no_more_than(results: Results, peer: str, phase: str, read: Read) -> Verdict:
    """Ours, at most 4 MiB above the peer's on each workload."""

    def excess(workload: str) -> tuple[bool, str] | None:
        ours, theirs = (results.above_stock(workload, name, read) for name in (results.ours, peer))
        if ours is None or theirs is None:
            return None
        over = ours - theirs - LEANER_BY_BYTES
        return over <= 0, f"{over / MEBIBYTE:.1f} MiB over the limit"

    target = f"{phase}: at most {peer} + 4 MiB everywhere"
    if peer not in results.peers:
        return Verdict(target, "not measured", f"{peer} is not there")
    return each_meets(results, target, excess)
