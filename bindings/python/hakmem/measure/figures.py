"""Figures of runs: peak, end, idle tail, mean; medians over runs, their spread, ratios."""

import itertools
import statistics
from collections.abc import Sequence

from hakmem.measure.runs import Run
from hakmem.measure.sampler import Sample

NAMES = ("peak_bytes", "end_bytes", "idle_bytes", "mean_bytes", "cpu_seconds", "wall_seconds")
MEMORY_NAMES = NAMES[:4]
# A tail of the run counts as idle where it uses less than this part of one processor, and lasts long enough to see.
IDLE_PROCESSOR_PART = 0.05
IDLE_SECONDS_MIN = 0.5
CLOCK_SECONDS = 0.02  # the kernel counts in hundredths of a second
TEARDOWN_SECONDS_MAX = 2.0
# The end is a stretch, not the last look: that may see a process which is taking itself apart.
END_SECONDS = 0.2
# A program that ended after fewer looks was not seen: neither what it held, but for its peak, nor for how long.
LOOKS_MIN = 10

Figures = dict[str, float | None]


def memory_bytes(sample: Sample, processes_max: int) -> int:
    """Return what counts: RSS of one process; PSS of several, which share memory."""
    return sample.rss_bytes if processes_max <= 1 else sample.pss_bytes


def figures_of(run: Run) -> Figures:
    """Return the figures of one run. idle_bytes is None where it does not end idle."""
    values = [memory_bytes(sample, run.processes_max) for sample in run.samples]
    peak = max(values)
    if run.processes_max <= 1:
        peak = max(peak, run.high_water_bytes)
    tail = idle_tail(run.samples)
    idle = statistics.median(memory_bytes(sample, run.processes_max) for sample in tail) if tail else None
    return {
        "peak_bytes": peak,
        "end_bytes": statistics.median(
            value
            for sample, value in zip(run.samples, values, strict=True)
            if sample.seconds >= run.samples[-1].seconds - END_SECONDS
        ),
        "idle_bytes": idle,
        "mean_bytes": _mean_over_time(run.samples, values),
        "cpu_seconds": run.cpu_seconds,
        "wall_seconds": run.wall_seconds,
    }


def largest_gap_seconds(samples: Sequence[Sample]) -> float:
    """Return how far apart two looks were at most: on a busy machine a short peak may lie between them."""
    return max((second.seconds - first.seconds for first, second in itertools.pairwise(samples)), default=0.0)


def idle_tail(samples: Sequence[Sample]) -> list[Sample]:
    """Return the last half of the samples over which the program did next to nothing up to its end; [] if it did not.

    The half, because memory goes back a moment after the work ends. Taking itself apart, at its very end, may keep a
    program busy for a while; that is not counted.
    """
    for last in range(len(samples) - 1, -1, -1):
        if samples[-1].seconds - samples[last].seconds > TEARDOWN_SECONDS_MAX:
            break
        begin = _begin_of_idle(samples, last)
        seconds = samples[last].seconds - samples[begin].seconds
        if seconds >= IDLE_SECONDS_MIN:
            middle = samples[begin].seconds + seconds / 2
            return [sample for sample in samples[begin : last + 1] if sample.seconds >= middle]
    return []


def _begin_of_idle(samples: Sequence[Sample], last: int) -> int:
    """Return the first of the samples from which on next to nothing was done until a later one."""
    begin = last
    for index in range(last, -1, -1):
        seconds = samples[last].seconds - samples[index].seconds
        cpu_seconds = samples[last].cpu_seconds - samples[index].cpu_seconds
        if cpu_seconds > max(CLOCK_SECONDS, seconds * IDLE_PROCESSOR_PART):
            break
        begin = index
    return begin


def _mean_over_time(samples: Sequence[Sample], values: Sequence[int]) -> float:
    if len(samples) < 2:
        return float(values[0])
    area = 0.0
    for index in range(1, len(samples)):
        area += (values[index] + values[index - 1]) / 2 * (samples[index].seconds - samples[index - 1].seconds)
    return area / (samples[-1].seconds - samples[0].seconds)


def median_of(rows: Sequence[Figures], name: str) -> float | None:
    """Return the median of a figure over runs; None where it was not measured in all."""
    values = [row[name] for row in rows]
    known = [value for value in values if value is not None]
    return statistics.median(known) if known and len(known) == len(values) else None


def spread_percent(rows: Sequence[Figures], name: str) -> float | None:
    """Return how far apart the runs lie, in percent of the median; None where there is one run only."""
    middle = median_of(rows, name)
    if middle is None or middle == 0 or len(rows) < 2:
        return None
    values = [value for row in rows if (value := row[name]) is not None]
    return 100 * (max(values) - min(values)) / middle


def ratio(ours: float | None, theirs: float | None) -> float | None:
    """Return ours by theirs; None where one is missing."""
    return ours / theirs if ours is not None and theirs else None
