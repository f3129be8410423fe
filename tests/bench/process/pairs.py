"""Processor time of whole programs, measured in pairs: one process under stock and one under hakmem, in direct
succession, the first of them in turn.

Processes of one kind lie up to 50 % apart, since the machine is slow for seconds or minutes; neighbours lie closer. Of
each case as many pairs are measured as its verdict needs: a sign test says whether the median of their ratios lies
above or below the limit.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from rich.console import RenderableType

from bench.shared.figures import geometric_mean, median
from bench.shared.runner import Sample
from bench.shared.tables import number, table

# Of 6 ratios that fall on one side by chance all do so in 3 % of cases.
PAIRS_MIN = 6
PAIRS_MAX = 30
CHANCE_MAX = 0.05

Measure = Callable[[str], Sample]  # of a peer's name


@dataclass
class Pairs:
    """All pairs of one case."""

    workload: str
    stock: list[Sample] = field(default_factory=list)
    ours: list[Sample] = field(default_factory=list)

    def samples(self) -> list[Sample]:
        return [*self.stock, *self.ours]

    def failures(self) -> list[Sample]:
        return [sample for sample in self.samples() if sample.failure]

    def ratios(self) -> list[float]:
        """Of our seconds to stock's; none where a process failed."""
        if self.failures():
            return []
        return [ours.cpu_seconds / stock.cpu_seconds for ours, stock in zip(self.ours, self.stock, strict=True)]

    def ratio(self) -> float | None:
        return median(self.ratios())


def chance_of_sides(ratios: Sequence[float], limit: float) -> float:
    """How likely ratios fall as unevenly on the two sides of their median: if that is rare, `limit` is not it."""
    above = sum(ratio > limit for ratio in ratios)
    fewer = min(above, len(ratios) - above)
    as_uneven = 2 * sum(math.comb(len(ratios), count) for count in range(fewer + 1))
    return min(1.0, as_uneven * 0.5 ** len(ratios))


def measure_pairs(
    workload: str, stock: str, ours: str, limit: float, measure: Measure, pairs_max: int = PAIRS_MAX
) -> Pairs:
    """Ends where it is known on which side of the limit the median lies, at the latest after `pairs_max`."""
    pairs = Pairs(workload)
    while len(pairs.stock) < pairs_max and not pairs.failures():
        found = pairs.ratios()
        if len(found) >= PAIRS_MIN and chance_of_sides(found, limit) <= CHANCE_MAX:
            break
        order = [(stock, pairs.stock), (ours, pairs.ours)]
        for peer, samples in order if len(found) % 2 == 0 else reversed(order):
            samples.append(measure(peer))
    return pairs


def pairs_table(all_pairs: Sequence[Pairs], stock: str, ours: str) -> RenderableType:
    rows = []
    for pairs in all_pairs:
        ratios = pairs.ratios()
        seconds = [median([sample.cpu_seconds for sample in samples]) for samples in (pairs.stock, pairs.ours)]
        rows.append(
            [pairs.workload, str(len(ratios)), *(number(value, 2) for value in seconds), *_middle(ratios)]
            if ratios
            else [pairs.workload, "failed"]
        )
    rows.append(["geometric mean", "", "", "", number(geometric_mean(pairs.ratio() for pairs in all_pairs), 3), ""])
    columns = ["", "pairs", f"{stock}, s", f"{ours}, s", "ratio", "middle half"]
    return table("cpu time in pairs, medians", columns, rows, last_rows=1)


def _middle(ratios: Sequence[float]) -> list[str]:
    low, middle, high = statistics.quantiles(ratios, n=4) if len(ratios) > 1 else [ratios[0]] * 3
    return [f"{middle:.2f}", f"{low:.2f} to {high:.2f}"]
