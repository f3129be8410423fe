"""Processor time of a round under each peer as a ratio to stock's, measured by turns (bench/shared/turns.py).

Between two rounds of a program the other peers do theirs: memory that is free meanwhile grows older than in a program
that runs alone, and an allocator that gives it back for its age does so.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence

from rich.console import Group, RenderableType

from bench.churn.contenders import OURS, STOCK, UNLIMITED
from bench.churn.report import grouped_rows, measured
from bench.churn.targets import CPU_EACH, CPU_MEAN
from bench.shared.figures import geometric_mean
from bench.shared.tables import number, table
from bench.shared.targets import each_of, mean_at_most
from bench.shared.turns import Turns
from bench.shared.verdicts import Verdict

# The first rounds are not counted: the program and the allocator learn in them.
UNCOUNTED_SHARE = 0.1


class TurnResults:
    """Ratios of rounds that came one after the other."""

    def __init__(self, samples: Sequence[Turns]) -> None:
        self.samples = samples
        self.workloads = list(dict.fromkeys(sample.workload for sample in samples))
        self.peers = list(dict.fromkeys(sample.peer for sample in samples))

    def failures(self) -> list[Turns]:
        return [sample for sample in self.samples if sample.failure]

    def _rounds(self, workload: str, peer: str) -> list[float]:
        for sample in self.samples:
            if (sample.workload, sample.peer) == (workload, peer) and not sample.failure:
                return sample.round_seconds[int(len(sample.round_seconds) * UNCOUNTED_SHARE) :]
        return []

    def ratios(self, workload: str, peer: str, other: str) -> list[float]:
        rounds = zip(self._rounds(workload, peer), self._rounds(workload, other), strict=True)
        return [one / another for one, another in rounds]

    def ratio(self, workload: str, peer: str, other: str) -> float | None:
        found = self.ratios(workload, peer, other)
        return statistics.median(found) if found else None


def turns_table(results: TurnResults) -> RenderableType:
    peers = results.peers[1:]

    def cell(name: str, peer: str) -> str:
        return _cell(results.ratios(name, peer, STOCK))

    def means(group: str) -> list[str]:
        names = measured(results.workloads, group)
        return [number(geometric_mean(results.ratio(name, peer, STOCK) for name in names), 3) for peer in peers]

    rows = grouped_rows(results.workloads, peers, cell, means)
    title = f"processor time of a round, ratio to {STOCK}: median, and the middle half"
    failed = [f"{sample.workload}, {sample.peer}: {sample.failure}" for sample in results.failures()]
    return Group(table(title, ["", *peers], rows), *failed, "")


def _cell(ratios: Sequence[float]) -> str:
    if len(ratios) < 2:
        return "failed"
    low, middle, high = statistics.quantiles(ratios, n=4)
    return f"{middle:.3f} ({low:.2f} to {high:.2f})"


def judge_turns(results: TurnResults) -> list[Verdict]:
    return [*_judge_group(results, "judged", ""), *_judge_group(results, "services", "services: ")]


def _judge_group(results: TurnResults, group: str, prefix: str) -> list[Verdict]:
    names = measured(results.workloads, group)

    def at_most(peer: str) -> Verdict:
        def excess(name: str) -> tuple[bool, str] | None:
            found = results.ratio(name, OURS, peer)
            return None if found is None else (found <= CPU_EACH, f"{found:.3f}")

        target = f"{prefix}processor time: each at most {CPU_EACH} of {peer}"
        lack = "" if {OURS, peer} <= set(results.peers) else f"{OURS} or {peer} is not there"
        return Verdict(target, "not measured", lack) if lack else each_of(names, target, excess)

    mean = f"{prefix}processor time: geometric mean at most {CPU_MEAN:.2f} of {STOCK}"
    ratios = [results.ratio(name, OURS, STOCK) for name in names]
    return [mean_at_most(mean, ratios, CPU_MEAN), at_most(UNLIMITED), at_most(STOCK)]
