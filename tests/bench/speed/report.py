"""Tables and verdicts of `make bench-speed`."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from rich.console import RenderableType

from bench.shared.figures import geometric_mean, median, ratio, spread_percent
from bench.shared.tables import number, table
from bench.shared.verdicts import Verdict
from bench.speed.cases import Sample

STOCK = "pymalloc"
# What ratios are to. Threads in C know nothing of Python.
BASELINES = {"loops": STOCK, "instructions": STOCK, "programs": STOCK, "threads": "glibc"}
OURS = "hakmem"
PLUGGED_IN = ("mimalloc", "mimalloc no THP", "jemalloc", "jemalloc decay 0")
TITLES = {
    "loops": "(a) hot loops through PyObject_Malloc and PyObject_Free: ns per pair",
    "instructions": "(a) instructions per pair, by callgrind",
    "programs": "(b) Python programs: cpu seconds",
    "threads": "(d) the C core under threads: cpu ns per pair",
}
DIGITS = {"loops": 1, "instructions": 0, "programs": 3, "threads": 1}
# Threads that got less than this share of a processor each were disturbed by the rest of the machine.
PROCESSORS_WANTED = 0.95

Pick = Callable[[Sequence[float]], float | None]


def smallest(values: Sequence[float]) -> float | None:
    return min(values, default=None)


class Results:
    """All samples, and figures drawn from them."""

    def __init__(self, samples: Sequence[Sample]) -> None:
        self.samples = samples

    def cases(self, part: str) -> list[str]:
        return list(dict.fromkeys(sample.case for sample in self.samples if sample.part == part))

    def peers(self, part: str) -> list[str]:
        return list(dict.fromkeys(sample.peer for sample in self.samples if sample.part == part))

    def of(self, part: str, case: str, peer: str) -> list[Sample]:
        """Empty unless every process of this case came to its end: a case that fails once has failed."""
        found = [s for s in self.samples if (s.part, s.case, s.peer) == (part, case, peer)]
        return [] if any(sample.failure for sample in found) else found

    def value(self, part: str, case: str, peer: str, pick: Pick) -> float | None:
        return pick([sample.value for sample in self.of(part, case, peer)])

    def ratio(self, part: str, case: str, peer: str, other: str, pick: Pick) -> float | None:
        return ratio(self.value(part, case, peer, pick), self.value(part, case, other, pick))

    def failures(self) -> list[Sample]:
        return [sample for sample in self.samples if sample.failure]


def value_table(results: Results, part: str, pick: Pick, title: str) -> RenderableType:
    peers = results.peers(part)
    rows = [
        [case, *(number(results.value(part, case, peer, pick), DIGITS[part], "failed") for peer in peers)]
        for case in results.cases(part)
    ]
    return table(f"{TITLES[part]}{title}", ["", *peers], rows)


def spread_table(results: Results, part: str) -> RenderableType:
    peers = results.peers(part)
    rows = []
    for case in results.cases(part):
        spreads = [spread_percent([sample.value for sample in results.of(part, case, peer)]) for peer in peers]
        rows.append([case, *(number(spread, 0) for spread in spreads)])
    return table("how far apart the processes lie, % of the median", ["", *peers], rows)


def ratio_table(results: Results, part: str, pick: Pick, title: str) -> RenderableType:
    baseline = BASELINES[part]
    peers = [peer for peer in results.peers(part) if peer != baseline]
    ratios = {case: [results.ratio(part, case, peer, baseline, pick) for peer in peers] for case in results.cases(part)}
    rows = [[case, *(number(value, 2, "failed") for value in row)] for case, row in ratios.items()]
    means = [geometric_mean(column) for column in zip(*ratios.values(), strict=True)]
    rows.append(["geometric mean", *(number(mean, 3) for mean in means)])
    return table(f"ratio to {baseline}{title}", ["", *peers], rows, last_rows=1)


def wall_table(results: Results) -> RenderableType:
    peers = results.peers("threads")
    rows = []
    for case in results.cases("threads"):
        rates = [max((s.wall_rate for s in results.of("threads", case, peer)), default=None) for peer in peers]
        rows.append([case, *(number(rate, 1, "failed") for rate in rates)])
    return table("(d) million pairs per second by the clock on the wall, best process", ["", *peers], rows)


def part_tables(results: Results, part: str) -> list[RenderableType]:
    if part == "instructions":
        return [value_table(results, part, smallest, ""), ratio_table(results, part, smallest, "")]
    tables = [
        value_table(results, part, smallest, ", fastest process"),
        value_table(results, part, median, ", median process"),
        spread_table(results, part),
        ratio_table(results, part, smallest, ", fastest processes"),
        ratio_table(results, part, median, ", median processes"),
    ]
    return [*tables, wall_table(results)] if part == "threads" else tables


def failure_table(results: Results) -> RenderableType:
    rows = [[sample.case, sample.peer, sample.failure] for sample in results.failures()]
    return table("failed", ["case", "peer", "why"], rows)


def judge(results: Results) -> list[Verdict]:
    """By the fastest processes, which the rest of the machine disturbs least."""
    return [*(_loops_against(results, peer) for peer in PLUGGED_IN), *_programs(results), _scaling(results)]


def _verdict(target: str, misses: list[str], measured: int, detail: str) -> Verdict:
    if not measured and not misses:
        return Verdict(target, "not measured", "")
    return Verdict(target, "missed" if misses else "met", "; ".join(misses) or detail)


def _loops_against(results: Results, peer: str) -> Verdict:
    target = f"hot loops: at or below {peer} on each pattern"
    if not {OURS, peer} <= set(results.peers("loops")):
        return Verdict(target, "not measured", "")
    found = {case: results.ratio("loops", case, OURS, peer, smallest) for case in results.cases("loops")}
    misses = [f"{case}: {number(value, 2, 'failed')}" for case, value in found.items() if value is None or value > 1]
    return _verdict(target, misses, len(found), f"on all {len(found)} patterns")


def _programs(results: Results) -> list[Verdict]:
    if OURS not in results.peers("programs"):
        return []
    found = {case: results.ratio("programs", case, OURS, STOCK, smallest) for case in results.cases("programs")}
    mean = geometric_mean(found.values())
    slow = [f"{case}: {number(value, 2, 'failed')}" for case, value in found.items() if value is None or value > 1.10]
    too_slow = [f"{number(mean, 3, 'failed')}"] if mean is None or mean > 0.97 or None in found.values() else []
    return [
        _verdict(f"programs: geometric mean at most 0.97 of {STOCK}", too_slow, len(found), number(mean, 3)),
        _verdict(f"programs: none above 1.10 of {STOCK}", slow, len(found), f"all {len(found)} programs"),
    ]


def _scaling(results: Results) -> Verdict:
    target = "core: throughput at 2 threads at least 1.8 times that of 1 (private)"
    one, two = (
        max(results.of("threads", f"private, {count}", OURS), key=lambda s: s.wall_rate, default=None)
        for count in (1, 2)
    )
    if one is None or two is None:
        return Verdict(target, "not measured", "")
    gain = two.wall_rate / one.wall_rate
    by_cpu = 2 * one.value / two.value
    detail = f"{gain:.2f} with {two.processors:.2f} processors for 2 threads, {one.processors:.2f} for 1"
    if min(one.processors, two.processors / 2) < PROCESSORS_WANTED:
        return Verdict(target, "not measured", f"{detail}: the machine was busy; by cpu time per pair {by_cpu:.2f}")
    return Verdict(target, "met" if gain >= 1.8 else "missed", detail)
