"""Tables and targets of `make bench-process`: medians over the runs; memory in MiB above stock's after the imports."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Group, RenderableType

from bench.process.pairs import Pairs, pairs_table
from bench.process.start import Start, start_table, start_verdicts
from bench.process.workloads import MIXED_SERVER
from bench.shared import memory_tables
from bench.shared.results import Read, Results
from bench.shared.targets import each_of, mean_at_most, no_more_than
from bench.shared.verdicts import Verdict

STOCK, OURS, LEANEST = "glibc", "hakmem, all", "jemalloc decay 0"
CPU_RATIO_MAX = 1.10
IDLE = "idle 0.6 s after the drop"
PHASES: dict[str, Read] = {
    "peak": lambda sample: sample.peak_bytes,
    "right after the drop": lambda sample: sample.dropped_bytes,
    IDLE: lambda sample: sample.idle_bytes,
}


def case_name(workload: str, kept_percent: str) -> str:
    return f"{workload} {kept_percent} %"


def all_tables(results: Results, pairs: Sequence[Pairs], starts: Sequence[Start]) -> RenderableType:
    others = [peer for peer in (STOCK, LEANEST) if peer in results.peers and results.ours in results.peers]
    tables: list[RenderableType] = [memory_tables.base_table(results)]
    tables += [memory_tables.memory_table(results, phase, read, others) for phase, read in PHASES.items()]
    tables += memory_tables.cpu_tables(results)
    if pairs:
        tables.append(pairs_table(pairs, STOCK, OURS))
    if starts:
        tables.append(start_table(starts))
    failures = [*results.failures(), *(sample for each in pairs for sample in each.failures())]
    if failures:
        tables.append(memory_tables.failure_table(failures))
    return Group(*(part for made in tables for part in (made, "")))


def judge(results: Results, pairs: Sequence[Pairs], starts: Sequence[Start]) -> list[Verdict]:
    servers = [name for name in results.workloads if name.startswith(f"{MIXED_SERVER} ")]
    return [
        no_more_than(results, LEANEST, IDLE, PHASES[IDLE]),
        _idle_mean(results, f"{IDLE}: geometric mean at most 0.65 of {LEANEST}", results.workloads, 0.65),
        _idle_mean(results, f"{IDLE}: {MIXED_SERVER} at most 0.90 of {LEANEST}", servers, 0.90),
        mean_at_most(
            f"peak: geometric mean at most 1.03 of {STOCK}",
            [results.ratio_to(name, STOCK, PHASES["peak"]) for name in results.workloads],
            1.03,
        ),
        mean_at_most(f"cpu time: geometric mean at most 1.00 of {STOCK}", [each.ratio() for each in pairs], 1.00),
        _cpu_everywhere(pairs),
        *start_verdicts(starts),
    ]


def _idle_mean(results: Results, target: str, workloads: Sequence[str], limit: float) -> Verdict:
    if LEANEST not in results.peers:
        return Verdict(target, "not measured", f"{LEANEST} is not there")
    return mean_at_most(target, [results.ratio_to(name, LEANEST, PHASES[IDLE]) for name in workloads], limit)


def _cpu_everywhere(pairs: Sequence[Pairs]) -> Verdict:
    ratios = {each.workload: each.ratio() for each in pairs}

    def excess(workload: str) -> tuple[bool, str] | None:
        found = ratios[workload]
        return None if found is None else (found <= CPU_RATIO_MAX, f"{found:.2f}")

    return each_of(list(ratios), f"cpu time: at most {CPU_RATIO_MAX:.2f} of {STOCK} everywhere", excess)
