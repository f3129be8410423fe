"""Tables and targets of `make bench-lua`: medians over the runs; memory in MiB above stock's base for the same case."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from rich.console import Group, RenderableType

from bench.lua.runner import Account, Sample
from bench.shared.figures import geometric_mean, median, ratio
from bench.shared.tables import number, table
from bench.shared.verdicts import Verdict

MEBIBYTE = 1024 * 1024
STOCK, OURS, LEANEST = "stock", "hakmem", "jemalloc decay 0"
# A ratio of two figures near zero says nothing: in ratios a smaller one counts as this much.
SMALLEST_IN_RATIOS = 1 * MEBIBYTE

Read = Callable[[Sample], float]
PHASES: dict[str, Read] = {
    "peak": lambda sample: sample.peak_bytes,
    "right after the collection": lambda sample: sample.dropped_bytes,
    "300 ms after the collection": lambda sample: sample.soon_bytes,
}
Case = tuple[str, int]


def label(case: Case) -> str:
    return f"{case[0]} {case[1] / 10:g} %"


class Results:
    """All samples, and figures drawn from them."""

    def __init__(self, samples: Sequence[Sample]) -> None:
        self.samples = samples
        self.cases: list[Case] = list(dict.fromkeys((sample.workload, sample.per_thousand) for sample in samples))
        self.workloads = list(dict.fromkeys(case[0] for case in self.cases))
        self.peers = list(dict.fromkeys(sample.peer for sample in samples))

    def absolute(self, case: Case, peer: str, read: Read) -> float | None:
        """None unless every run came to its end."""
        found = [s for s in self.samples if (s.workload, s.per_thousand) == case and s.peer == peer]
        return None if any(s.failure for s in found) else median([read(s) for s in found])

    def above_stock(self, case: Case, peer: str, read: Read) -> float | None:
        """Bytes above stock's base, the same base for every peer."""
        base, figure = self.absolute(case, STOCK, lambda s: s.base_bytes), self.absolute(case, peer, read)
        return None if base is None or figure is None else figure - base

    def memory_ratio(self, case: Case, peer: str, read: Read) -> float | None:
        ours, theirs = self.above_stock(case, OURS, read), self.above_stock(case, peer, read)
        if ours is None or theirs is None:
            return None
        return max(ours, SMALLEST_IN_RATIOS) / max(theirs, SMALLEST_IN_RATIOS)

    def seconds(self, workload: str, peer: str) -> float | None:
        """The fastest run of any share of survivors: they build the same, and others use this machine, too."""
        found = [s for s in self.samples if s.workload == workload and s.peer == peer]
        return None if not found or any(s.failure for s in found) else min(s.seconds for s in found)

    def time_ratio(self, workload: str, peer: str) -> float | None:
        return ratio(self.seconds(workload, peer), self.seconds(workload, STOCK))


def memory_table(results: Results, phase: str) -> RenderableType:
    rows = []
    for case in results.cases:
        figures = [results.above_stock(case, peer, PHASES[phase]) for peer in results.peers]
        cells = [number(None if figure is None else figure / MEBIBYTE, missing="failed") for figure in figures]
        rows.append([label(case), *cells])
    return table(f"{phase}: MiB above {STOCK}'s base", ["survivors", *results.peers], rows)


def time_table(results: Results) -> RenderableType:
    rows = []
    for workload in results.workloads:
        seconds = [number(results.seconds(workload, peer), 2, "failed") for peer in results.peers]
        ratios = [number(results.time_ratio(workload, peer), 2) for peer in results.peers[1:]]
        rows.append([workload, *seconds, *ratios])
    means = [geometric_mean(results.time_ratio(name, peer) for name in results.workloads) for peer in results.peers[1:]]
    rows.append(["geometric mean", *[""] * len(results.peers), *(number(mean, 2) for mean in means)])
    columns = ["", *results.peers, *(f"{peer} / {STOCK}" for peer in results.peers[1:])]
    return table("cpu seconds, fastest run", columns, rows, last_rows=1)


def account_ratio(
    accounts: Sequence[Account], workload: str, kind: str, of: Callable[[Account], float | None]
) -> float | None:
    figures = {account.kind: of(account) for account in accounts if account.workload == workload}
    return ratio(figures.get(kind), figures.get("plain"))


def account_table(accounts: Sequence[Account]) -> RenderableType:
    kinds = [kind for kind in dict.fromkeys(account.kind for account in accounts) if kind != "plain"]
    rows = []
    for workload in dict.fromkeys(account.workload for account in accounts):
        row = [workload]
        for kind in kinds:
            row.append(number(account_ratio(accounts, workload, kind, lambda a: a.seconds), 3))
            row.append(number(account_ratio(accounts, workload, kind, lambda a: a.instructions), 3))
        rows.append(row)
    columns = ["", *(text for kind in kinds for text in (f"{kind}: time", "instructions"))]
    return table("in a C host: ratio to hak_lua_alloc without an account, fastest runs", columns, rows)


def all_tables(results: Results, accounts: Sequence[Account]) -> RenderableType:
    tables = [memory_table(results, phase) for phase in PHASES] + [time_table(results)]
    if accounts:
        tables.append(account_table(accounts))
    failures = [[s.workload, str(s.per_thousand), s.peer, s.failure] for s in results.samples if s.failure]
    if failures:
        tables.append(table("failed", ["workload", "per thousand", "peer", "why"], failures))
    return Group(*(part for made in tables for part in (made, "")))


# ---- Targets ----


def mean_verdict(target: str, ratios: Sequence[float | None], limit: float) -> Verdict:
    mean = geometric_mean(ratios)
    if mean is None or None in ratios:
        return Verdict(target, "not measured" if mean is None else "missed", "a case failed" if mean else "")
    return Verdict(target, "met" if mean <= limit else "missed", f"{mean:.3f}")


def leanest_verdict(results: Results, phase: str) -> Verdict:
    target = f"{phase}: at most {LEANEST} + 4 MiB on every workload"
    if LEANEST not in results.peers:
        return Verdict(target, "not measured", f"{LEANEST} is not there")
    misses = []
    for case in results.cases:
        ours, theirs = (results.above_stock(case, peer, PHASES[phase]) for peer in (OURS, LEANEST))
        if ours is None or theirs is None:
            misses.append(f"{label(case)}: failed")
        elif ours > theirs + 4 * MEBIBYTE:
            misses.append(f"{label(case)}: {(ours - theirs) / MEBIBYTE:.1f} MiB more")
    return Verdict(target, "missed" if misses else "met", "; ".join(misses))


def judge(results: Results, accounts: Sequence[Account]) -> list[Verdict]:
    soon = "300 ms after the collection"
    ratios = [results.memory_ratio(case, LEANEST, PHASES[soon]) for case in results.cases]
    verdicts = [
        mean_verdict(
            f"time at most 0.60 of {STOCK} in the geometric mean",
            [results.time_ratio(name, OURS) for name in results.workloads],
            0.60,
        ),
        leanest_verdict(results, soon),
        mean_verdict(f"{soon}: geometric mean below {LEANEST}", ratios, 1.0),
    ]
    if accounts:
        workloads = list(dict.fromkeys(account.workload for account in accounts))
        for name, of in (("time", lambda a: a.seconds), ("instructions", lambda a: a.instructions)):
            ratios = [account_ratio(accounts, workload, "account", of) for workload in workloads]
            verdicts.append(mean_verdict(f"the account of a state costs at most 2 % ({name})", ratios, 1.02))
    return verdicts
