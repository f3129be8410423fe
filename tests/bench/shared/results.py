"""Samples of workloads under peers, and figures drawn from them: medians over the runs, above stock's base."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from bench.shared.figures import median, ratio
from bench.shared.runner import Sample

MEBIBYTE = 1024 * 1024
# A ratio of two figures near zero says nothing: in ratios a smaller one counts as this much.
SMALLEST_IN_RATIOS = 1 * MEBIBYTE

Read = Callable[[Sample], float]


def compare_digests(samples: Sequence[Sample], stock: str) -> None:
    """Survivors that differ from stock's are a failure."""
    expected = {sample.workload: sample.digest for sample in samples if sample.peer == stock and not sample.failure}
    for sample in samples:
        if not sample.failure and sample.digest != expected.get(sample.workload, sample.digest):
            sample.failure = f"survivors differ from {stock}'s: {sample.digest}"


class Results:
    """All samples; `stock` names the peer that the others are compared with, `ours` the one that is judged."""

    def __init__(self, samples: Sequence[Sample], stock: str, ours: str) -> None:
        self.samples = samples
        self.stock = stock
        self.ours = ours
        self.workloads = list(dict.fromkeys(sample.workload for sample in samples))
        self.peers = list(dict.fromkeys(sample.peer for sample in samples))

    def of(self, workload: str, peer: str) -> Sequence[Sample]:
        """Empty unless every run of this case came to its end: a case that fails once has failed."""
        found = [sample for sample in self.samples if sample.workload == workload and sample.peer == peer]
        return [] if any(sample.failure for sample in found) else found

    def failures(self) -> list[Sample]:
        return [sample for sample in self.samples if sample.failure]

    def absolute(self, workload: str, peer: str, read: Read) -> float | None:
        return median([read(sample) for sample in self.of(workload, peer)])

    def above_stock(self, workload: str, peer: str, read: Read) -> float | None:
        """Bytes above stock's base, the same base for every peer."""
        base = self.absolute(workload, self.stock, lambda sample: sample.base_bytes)
        figure = self.absolute(workload, peer, read)
        return None if base is None or figure is None else figure - base

    def ratio_to(self, workload: str, peer: str, read: Read) -> float | None:
        """Of our figure to that of the peer."""
        ours, theirs = self.above_stock(workload, self.ours, read), self.above_stock(workload, peer, read)
        if ours is None or theirs is None:
            return None
        return max(ours, SMALLEST_IN_RATIOS) / max(theirs, SMALLEST_IN_RATIOS)

    def cpu(self, workload: str, peer: str) -> float | None:
        return self.absolute(workload, peer, lambda sample: sample.cpu_seconds)

    def cpu_ratio(self, workload: str, peer: str) -> float | None:
        """Of the peer to stock."""
        return ratio(self.cpu(workload, peer), self.cpu(workload, self.stock))

    def best_cpu_ratio(self, workload: str, peer: str) -> float | None:
        """The same of the fastest runs: what the rest of the machine disturbs least."""
        seconds = [
            min((sample.cpu_seconds for sample in self.of(workload, name)), default=None) for name in (peer, self.stock)
        ]
        return ratio(*seconds)
