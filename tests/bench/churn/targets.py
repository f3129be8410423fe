"""The targets of `make bench-churn`, each with a verdict: on the judged programs, the large blocks, and Lua's."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from bench.churn import results as figures
from bench.churn.cases import BLOCKS
from bench.churn.contenders import FROZEN, LEANEST, OURS, STOCK, UNLIMITED
from bench.churn.programs import GROWING_LIST
from bench.churn.report import measured, mib_text
from bench.churn.results import ChurnResults, Figure
from bench.shared.results import MEBIBYTE
from bench.shared.targets import each_of, mean_at_most
from bench.shared.verdicts import Verdict

Excess = Callable[[str], tuple[bool, str] | None]

CPU_MEAN, CPU_EACH, MEMORY_MEAN = 0.88, 1.05, 1.25
FAULTS_OF_LIST, BLOCKS_CPU = 1.1, 1.3
ABOVE_USED_BYTES, ABOVE_FROZEN_BYTES = 16 * MEBIBYTE, 2 * MEBIBYTE


def judge(results: ChurnResults, options: Mapping[str, str]) -> list[Verdict]:
    """`options` are hakmem's in the environment."""
    return [
        *_of_programs(results, "judged", ""),
        *_of_programs(results, "services", "services: "),
        _list_faults(results),
        _blocks(results),
        _lua(results, options),
    ]


def _of_programs(results: ChurnResults, group: str, prefix: str) -> list[Verdict]:
    names = measured(results.workloads, group)
    each = f"{prefix}processor time: each at most {CPU_EACH} of"
    return [
        _mean(results, names, f"{prefix}processor time", figures.cpu, CPU_MEAN),
        _each_ratio(results, names, f"{each} {UNLIMITED}", UNLIMITED),
        _each_ratio(results, names, f"{each} {STOCK}", STOCK),
        _mean(results, names, f"{prefix}mean resident memory", figures.mean, MEMORY_MEAN),
        _peak(results, names, prefix),
        _idle(results, names, prefix),
    ]


def _without(results: ChurnResults, names: Sequence[str], peer: str) -> str:
    """Why a comparison with this peer was not measured; empty where it was."""
    if not names:
        return "none of its programs was measured"
    return "" if peer in results.peers else f"{peer} is not there"


def _mean(results: ChurnResults, names: Sequence[str], what: str, read: Figure, limit: float) -> Verdict:
    target = f"{what}: geometric mean at most {limit:.2f} of {STOCK}"
    return mean_at_most(target, [results.figure_ratio(name, OURS, STOCK, read) for name in names], limit)


def _each_ratio(results: ChurnResults, names: Sequence[str], target: str, peer: str) -> Verdict:
    def excess(name: str) -> tuple[bool, str] | None:
        found = results.figure_ratio(name, OURS, peer, figures.cpu)
        return None if found is None else (found <= CPU_EACH, f"{found:.2f}")

    return _each(results, names, target, peer, excess)


def _each(
    results: ChurnResults,
    names: Sequence[str],
    target: str,
    peer: str,
    excess: Excess,
) -> Verdict:
    lack = _without(results, names, peer)
    return Verdict(target, "not measured", lack) if lack else each_of(names, target, excess)


def _list_faults(results: ChurnResults) -> Verdict:
    names = [GROWING_LIST] if GROWING_LIST in results.workloads else []

    def excess(name: str) -> tuple[bool, str] | None:
        found = results.figure_ratio(name, OURS, STOCK, figures.faults)
        return None if found is None else (found <= FAULTS_OF_LIST, f"{found:.2f}")

    return _each(results, names, f"{GROWING_LIST}: page faults at most {FAULTS_OF_LIST} of {STOCK}", STOCK, excess)


def _above(results: ChurnResults, peer: str, read: Figure, limit_bytes: float) -> Excess:
    def excess(name: str) -> tuple[bool, str] | None:
        ours, theirs = results.figure(name, OURS, read), results.figure(name, peer, read)
        if ours is None or theirs is None:
            return None
        over = ours - theirs - limit_bytes
        return over <= 0, f"{mib_text(over)} over the limit"

    return excess


def _peak(results: ChurnResults, names: Sequence[str], prefix: str) -> Verdict:
    """A round takes less than a second, so a program's peak is what it used at most within one; the peer that keeps
    nothing shows it."""
    target = f"{prefix}peak: never above what was used in the last second ({LEANEST}) + 16 MiB"
    return _each(results, names, target, LEANEST, _above(results, LEANEST, figures.peak, ABOVE_USED_BYTES))


def _idle(results: ChurnResults, names: Sequence[str], prefix: str) -> Verdict:
    target = f"{prefix}idle, 0.6 s after the end: at most {FROZEN} + 2 MiB everywhere"
    return _each(results, names, target, FROZEN, _above(results, FROZEN, figures.idle, ABOVE_FROZEN_BYTES))


def _blocks(results: ChurnResults) -> Verdict:
    target = f"{BLOCKS}: processor time at most {BLOCKS_CPU} of the better of {STOCK} and mimalloc"
    names = [BLOCKS] if BLOCKS in results.workloads else []

    def excess(name: str) -> tuple[bool, str] | None:
        ratios = [results.figure_ratio(name, OURS, peer, figures.cpu) for peer in (STOCK, "mimalloc")]
        found = [value for value in ratios if value is not None]
        return (max(found) <= BLOCKS_CPU, f"{max(found):.2f}") if len(found) == len(ratios) else None

    return _each(results, names, target, "mimalloc", excess)


def _lua(results: ChurnResults, options: Mapping[str, str]) -> Verdict:
    target = f"Lua with HAKMEM_THP=never: processor time at most {CPU_EACH} of {UNLIMITED} everywhere"
    if options.get("HAKMEM_THP") != "never":
        return Verdict(target, "not measured", "HAKMEM_THP=never make bench-churn does")
    return _each_ratio(results, measured(results.workloads, "Lua"), target, UNLIMITED)
