"""Tables and verdicts of `make bench-speed`."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from rich.console import RenderableType

from bench.shared.figures import geometric_mean, median, ratio, spread_percent
from bench.shared.tables import number, table
from bench.shared.verdicts import Verdict
from bench.speed.sample import Sample

STOCK = "pymalloc"
# What ratios are to. Programs in C know nothing of Python.
BASELINES = {
    "loops": STOCK,
    "instructions": STOCK,
    "programs": STOCK,
    "pyperformance": STOCK,
    "pyperformance, cpu": STOCK,
    "threads": "glibc",
}
OURS = "hakmem"
PLUGGED_IN = ("mimalloc", "mimalloc no THP", "jemalloc", "jemalloc decay 0")
TITLES = {
    "loops": "(a) hot loops through PyObject_Malloc and PyObject_Free: cpu ns per pair",
    "instructions": "(a) instructions per pair, by callgrind",
    "programs": "(b) Python programs: cpu seconds",
    "pyperformance": "(c) pyperformance: time",
    "pyperformance, cpu": "(c) pyperformance: cpu time per loop of the timed function, setup included",
    "threads": "(d) the C core under threads: cpu ns per pair",
    "heap curve": "(e) the C core as the heap grows: cpu ns per pair of random replacement, 16 to 512 bytes",
    "thread curve": "(e) the C core as threads grow: cpu ns per pair, all threads but the working ones idle",
}


def duration(seconds: float | None, missing: str) -> str:
    if seconds is None:
        return missing
    for unit, factor in (("s", 1), ("ms", 1e3), ("us", 1e6)):
        if seconds * factor >= 1:
            return f"{seconds * factor:#.4g} {unit}"
    return f"{seconds * 1e9:#.4g} ns"


def in_tenths(value: float | None, missing: str) -> str:
    return number(value, 1, missing)


FORMATS: dict[str, Callable[[float | None, str], str]] = {
    "instructions": lambda value, missing: number(value, 0, missing),
    "programs": lambda value, missing: number(value, 3, missing),
    "pyperformance": duration,
    "pyperformance, cpu": duration,
}
# Threads that got less than this share of a processor each were disturbed by the rest of the machine.
PROCESSORS_WANTED = 0.95
CONTENDING_THREADS, CONTENTION_LIMIT = 64, 1.5

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

    def ratio_in_turn(self, part: str, case: str, peer: str, other: str) -> float | None:
        """The median of the turns' own ratios: the two processes of a turn ran soon after each other."""
        turns = zip(self.of(part, case, peer), self.of(part, case, other), strict=False)
        return median([ours.value / theirs.value for ours, theirs in turns])

    def ratio(self, part: str, case: str, peer: str, other: str, pick: Pick | None) -> float | None:
        if pick is None:
            return self.ratio_in_turn(part, case, peer, other)
        return ratio(self.value(part, case, peer, pick), self.value(part, case, other, pick))

    def failures(self) -> list[Sample]:
        return [sample for sample in self.samples if sample.failure]


def value_table(results: Results, part: str, pick: Pick, title: str) -> RenderableType:
    peers = results.peers(part)
    as_text = FORMATS.get(part, in_tenths)
    rows = [
        [case, *(as_text(results.value(part, case, peer, pick), "failed") for peer in peers)]
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


def ratio_table(results: Results, part: str, pick: Pick | None, title: str) -> RenderableType:
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
        rates = [
            max((sample.figures["wall_rate"] for sample in results.of("threads", case, peer)), default=None)
            for peer in peers
        ]
        rows.append([case, *(number(rate, 1, "failed") for rate in rates)])
    return table("(d) million pairs per second by the clock on the wall, best process", ["", *peers], rows)


def part_tables(results: Results, part: str) -> list[RenderableType]:
    """Of the parts that compare Python programs, loops and threads; curves_report has the others."""
    if part == "instructions":
        return [value_table(results, part, smallest, ""), ratio_table(results, part, smallest, "")]
    if part in ("pyperformance", "pyperformance, cpu"):
        return [
            value_table(results, part, median, ", median process"),
            spread_table(results, part),
            ratio_table(results, part, None, ", median of the turns' own ratios"),
        ]
    tables = [
        value_table(results, part, smallest, ", fastest process"),
        value_table(results, part, median, ", median process"),
        spread_table(results, part),
        ratio_table(results, part, smallest, ", fastest processes"),
        ratio_table(results, part, median, ", median processes"),
    ]
    return [*tables, wall_table(results)] if part == "threads" else tables


def failure_table(results: Results) -> RenderableType:
    rows = list(dict.fromkeys((sample.case, sample.peer, sample.failure) for sample in results.failures()))
    made = table("failed", ["case", "peer", "why"], rows)
    made.columns[2].justify, made.columns[2].no_wrap = "left", False
    return made


def judge(results: Results) -> list[Verdict]:
    """By the fastest processes, which the rest of the machine disturbs least."""
    return [
        *(_loops_against(results, peer) for peer in PLUGGED_IN),
        *_programs(results),
        *(_suite_against(results, peer) for peer in (STOCK, *PLUGGED_IN)),
        _scaling(results),
        _contention(results),
    ]


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


def _suite_against(results: Results, peer: str) -> Verdict:
    """By cpu time, which the rest of the machine disturbs least. A case that failed under either makes it a miss."""
    target = f"pyperformance: geometric mean of cpu time at or below {peer}"
    if not {OURS, peer} <= set(results.peers("pyperformance")):
        return Verdict(target, "not measured", "")
    by_wall, found = (
        {case: results.ratio_in_turn(part, case, OURS, peer) for case in results.cases(part)}
        for part in ("pyperformance", "pyperformance, cpu")
    )
    mean = geometric_mean(found.values())
    detail = f"{number(mean, 3, 'failed')} over {len(found)} benchmarks"
    detail += f"; by the clock on the wall {number(geometric_mean(by_wall.values()), 3, 'failed')}"
    misses = [f"{case}: failed" for case, value in found.items() if value is None]
    if mean is None or mean > 1:
        misses.insert(0, detail)
    return _verdict(target, misses, len(found), detail)


def _scaling(results: Results) -> Verdict:
    target = "core: throughput at 2 threads at least 1.8 times that of 1 (private)"
    one, two = (
        max(results.of("threads", f"private, {count}", OURS), key=lambda s: s.figures["wall_rate"], default=None)
        for count in (1, 2)
    )
    if one is None or two is None:
        return Verdict(target, "not measured", "")
    gain = two.figures["wall_rate"] / one.figures["wall_rate"]
    by_cpu = 2 * one.value / two.value
    for_one, for_two = one.figures["processors"], two.figures["processors"]
    detail = f"{gain:.2f} with {for_two:.2f} processors for 2 threads, {for_one:.2f} for 1"
    if min(for_one, for_two / 2) < PROCESSORS_WANTED:
        return Verdict(target, "not measured", f"{detail}: the machine was busy; by cpu time per pair {by_cpu:.2f}")
    return Verdict(target, "met" if gain >= 1.8 else "missed", detail)


def _contention(results: Results) -> Verdict:
    """Far more threads than processors: whoever holds a lock may wait for a processor meanwhile."""
    target = f"core: {CONTENDING_THREADS} threads at most {CONTENTION_LIMIT} of the best peer (private, cross)"
    found: dict[str, float | None] = {}
    for case in (f"private, {CONTENDING_THREADS}", f"cross, {CONTENDING_THREADS}"):
        if case in results.cases("threads"):
            others = (
                results.value("threads", case, peer, smallest) for peer in results.peers("threads") if peer != OURS
            )
            best = smallest([value for value in others if value is not None])
            found[case] = ratio(results.value("threads", case, OURS, smallest), best)
    detail = "; ".join(f"{case}: {number(value, 2, 'failed')}" for case, value in found.items())
    misses = [detail] if any(value is None or value > CONTENTION_LIMIT for value in found.values()) else []
    return _verdict(target, misses, len(found), detail)
