"""Statistics over samples: median, spread, geometric mean."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence


def median(samples: Sequence[float]) -> float | None:
    """None where nothing was measured."""
    return statistics.median(samples) if samples else None


def spread_percent(samples: Sequence[float]) -> float | None:
    """How far apart the samples lie, in percent of their median; None where there is only one."""
    middle = median(samples)
    if len(samples) < 2 or not middle:
        return None
    return 100 * (max(samples) - min(samples)) / abs(middle)


def ratio(ours: float | None, theirs: float | None) -> float | None:
    if ours is None or theirs is None or theirs == 0:
        return None
    return ours / theirs


def geometric_mean(ratios: Iterable[float | None]) -> float | None:
    """Over the positive ones; None if there are none."""
    positive = [value for value in ratios if value is not None and value > 0]
    return statistics.geometric_mean(positive) if positive else None
