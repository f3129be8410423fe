"""Samples of `make bench-churn`, and figures drawn from them: absolute ones, medians over the runs.

Processor time is added up of a program's stretches, each in the run that took least for it: what shares the processor's
core makes a program up to twice as slow for a second or so, and runs of one program lie up to 50 % apart.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from bench.churn.contenders import OURS, STOCK
from bench.churn.runner import ChurnSample
from bench.shared.figures import median, ratio
from bench.shared.results import Results

Figure = Callable[[ChurnSample], float]


def cpu(sample: ChurnSample) -> float:
    return sample.cpu_seconds


def mean(sample: ChurnSample) -> float:
    return sample.mean_bytes


def peak(sample: ChurnSample) -> float:
    return sample.peak_bytes


def idle(sample: ChurnSample) -> float:
    return sample.idle_bytes


def faults(sample: ChurnSample) -> float:
    return sample.faults


class ChurnResults(Results):
    """Memory is absolute here: a churning program's heap is nearly all that it has."""

    def __init__(self, samples: Sequence[ChurnSample]) -> None:
        super().__init__(samples, STOCK, OURS)

    def of(self, workload: str, peer: str) -> list[ChurnSample]:
        return [sample for sample in super().of(workload, peer) if isinstance(sample, ChurnSample)]

    def figure(self, workload: str, peer: str, read: Figure) -> float | None:
        if read is cpu:
            return self.undisturbed_cpu(workload, peer)
        return median([read(sample) for sample in self.of(workload, peer)])

    def undisturbed_cpu(self, workload: str, peer: str) -> float | None:
        runs = [sample.stretch_seconds or [sample.cpu_seconds] for sample in self.of(workload, peer)]
        return sum(map(min, zip(*runs, strict=True))) if runs else None

    def fastest(self, workload: str, peer: str) -> ChurnSample | None:
        return min(self.of(workload, peer), key=cpu, default=None)

    def figure_ratio(self, workload: str, peer: str, other: str, read: Figure) -> float | None:
        """Of the peer to the other one."""
        return ratio(self.figure(workload, peer, read), self.figure(workload, other, read))
