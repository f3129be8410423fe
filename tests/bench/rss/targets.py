"""The targets of `make bench-rss`, each with a verdict."""

from __future__ import annotations

from bench.rss.report import LEANEST, OURS, PHASES, STOCK, heap_of
from bench.rss.workloads import WITH_SURVIVORS
from bench.shared.figures import median
from bench.shared.results import MEBIBYTE, Results
from bench.shared.targets import each_meets, mean_at_most, no_more_than
from bench.shared.verdicts import Verdict

IDLE_PHASES = ("300 ms after the drop", "after 2 s idle")


def judge(results: Results) -> list[Verdict]:
    return [
        *(no_more_than(results, LEANEST, phase, PHASES[phase]) for phase in IDLE_PHASES),
        *(_survivor_mean(results, phase) for phase in IDLE_PHASES),
        _peak_everywhere(results),
        mean_at_most(
            f"peak: geometric mean at most 1.00 of {STOCK}",
            [results.ratio_to(name, STOCK, PHASES["peak"]) for name in results.workloads],
            1.00,
        ),
        _floats_peak(results),
        _near_floor(results),
        mean_at_most(
            f"cpu time: geometric mean at most 1.05 of {STOCK}",
            [results.cpu_ratio(name, OURS) for name in results.workloads],
            1.05,
        ),
    ]


def _survivor_mean(results: Results, phase: str) -> Verdict:
    target = f"{phase}: survivor workloads, geometric mean at most 0.75 of {LEANEST}"
    if LEANEST not in results.peers:
        return Verdict(target, "not measured", f"{LEANEST} is not there")
    names = [name for name in results.workloads if name in WITH_SURVIVORS]
    return mean_at_most(target, [results.ratio_to(name, LEANEST, PHASES[phase]) for name in names], 0.75)


def _peak_everywhere(results: Results) -> Verdict:
    def excess(workload: str) -> tuple[bool, str] | None:
        found = results.ratio_to(workload, STOCK, PHASES["peak"])
        return None if found is None else (found <= 1.02, f"{found:.3f}")

    return each_meets(results, f"peak: at most 1.02 of {STOCK} everywhere", excess)


def _floats_peak(results: Results) -> Verdict:
    ratios = [results.ratio_to(name, STOCK, PHASES["peak"]) for name in results.workloads if name == "floats"]
    return mean_at_most(f"peak: floats at most 0.85 of {STOCK}", ratios, 0.85)


def _near_floor(results: Results) -> Verdict:
    def excess(workload: str) -> tuple[bool, str] | None:
        heaps = [heap_of(sample) for sample in results.of(workload, OURS)]
        over = median([heap.heap_bytes - heap.limit_bytes for heap in heaps])
        return None if over is None else (over <= 0, f"{over / MEBIBYTE:.1f} MiB over the limit")

    return each_meets(results, "resident heap 300 ms after the drop: at most 1.10 floor + retain everywhere", excess)
