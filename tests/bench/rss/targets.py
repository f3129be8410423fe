"""The targets of `make bench-rss`, each with a verdict."""

from __future__ import annotations

from collections.abc import Callable

from bench.rss.report import LEANEST, MEBIBYTE, OURS, PHASES, STOCK, Results, heap_of
from bench.rss.workloads import WITH_SURVIVORS
from bench.shared.figures import geometric_mean, median
from bench.shared.verdicts import Verdict

LEANER_BY_BYTES = 4 * MEBIBYTE


def judge(results: Results) -> list[Verdict]:
    return [
        *(_no_more_than_leanest(results, phase) for phase in ("300 ms after the drop", "after 2 s idle")),
        *(_survivor_mean(results, phase) for phase in ("300 ms after the drop", "after 2 s idle")),
        _peak_everywhere(results),
        _mean(
            f"peak: geometric mean at most 1.00 of {STOCK}",
            [results.ratio_to(name, STOCK, PHASES["peak"]) for name in results.workloads],
            1.00,
        ),
        _floats_peak(results),
        _near_floor(results),
        _mean(
            f"cpu time: geometric mean at most 1.05 of {STOCK}",
            [results.cpu_ratio(name, OURS) for name in results.workloads],
            1.05,
        ),
    ]


def _each(results: Results, target: str, excess: Callable[[str], tuple[bool, str] | None]) -> Verdict:
    """For a target that holds for every workload: names those that miss it; a workload that failed misses it."""
    misses, measured = [], 0
    for workload in results.workloads:
        found = excess(workload)
        if found is None:
            misses.append(f"{workload}: failed")
            continue
        measured += 1
        is_met, detail = found
        if not is_met:
            misses.append(f"{workload}: {detail}")
    if not measured:
        return Verdict(target, "not measured", "")
    return Verdict(target, "missed" if misses else "met", "; ".join(misses) or f"on all {measured} workloads")


def _mean(target: str, ratios: list[float | None], limit: float) -> Verdict:
    mean = geometric_mean(ratios)
    if mean is None:
        return Verdict(target, "not measured", "")
    if None in ratios:
        return Verdict(target, "missed", f"{ratios.count(None)} workloads failed; the others: {mean:.3f}")
    return Verdict(target, "met" if mean <= limit else "missed", f"{mean:.3f}")


def _no_more_than_leanest(results: Results, phase: str) -> Verdict:
    def excess(workload: str) -> tuple[bool, str] | None:
        ours = results.above_stock(workload, OURS, PHASES[phase])
        theirs = results.above_stock(workload, LEANEST, PHASES[phase])
        if ours is None or theirs is None:
            return None
        over = ours - theirs - LEANER_BY_BYTES
        return over <= 0, f"{over / MEBIBYTE:.1f} MiB over the limit"

    target = f"{phase}: at most {LEANEST} + 4 MiB everywhere"
    if LEANEST not in results.peers:
        return Verdict(target, "not measured", f"{LEANEST} is not there")
    return _each(results, target, excess)


def _survivor_mean(results: Results, phase: str) -> Verdict:
    target = f"{phase}: survivor workloads, geometric mean at most 0.75 of {LEANEST}"
    if LEANEST not in results.peers:
        return Verdict(target, "not measured", f"{LEANEST} is not there")
    names = [name for name in results.workloads if name in WITH_SURVIVORS]
    return _mean(target, [results.ratio_to(name, LEANEST, PHASES[phase]) for name in names], 0.75)


def _peak_everywhere(results: Results) -> Verdict:
    def excess(workload: str) -> tuple[bool, str] | None:
        found = results.ratio_to(workload, STOCK, PHASES["peak"])
        return None if found is None else (found <= 1.02, f"{found:.3f}")

    return _each(results, f"peak: at most 1.02 of {STOCK} everywhere", excess)


def _floats_peak(results: Results) -> Verdict:
    ratios = [results.ratio_to(name, STOCK, PHASES["peak"]) for name in results.workloads if name == "floats"]
    return _mean(f"peak: floats at most 0.85 of {STOCK}", ratios, 0.85)


def _near_floor(results: Results) -> Verdict:
    def excess(workload: str) -> tuple[bool, str] | None:
        heaps = [heap_of(sample) for sample in results.of(workload, OURS)]
        over = median([heap.heap_bytes - heap.limit_bytes for heap in heaps])
        return None if over is None else (over <= 0, f"{over / MEBIBYTE:.1f} MiB over the limit")

    return _each(results, "resident heap 300 ms after the drop: at most 1.10 floor + retain everywhere", excess)
