"""Does hakmem help this program? Says it in words, with the figures, and as plainly when it does not."""

from collections.abc import Sequence
from typing import Any

from hakmem.measure.allocators import WHOLE
from hakmem.measure.figures import LOOKS_MIN

MEBIBYTE = 1024 * 1024
# What it is judged by. Not by the end: there an interpreter takes itself apart, and what goes back then helps nobody.
LABELS = {"peak_bytes": "peak", "idle_bytes": "idle", "mean_bytes": "on average"}
# A difference below these is none: in percent of the baseline, beside the spread of the runs; and in bytes.
PERCENT_MIN = 10.0
PERCENT_MIN_OF_ONE_RUN = 20.0  # which says nothing of how far the next one would lie
BYTES_MIN = 2 * MEBIBYTE
CPU_PERCENT_MIN = 3.0
CPU_PERCENT_MIN_OF_ONE_RUN = 10.0
CPU_SECONDS_MIN = 0.1  # below it is the interpreter's start that is compared
AT_PEAK_PART = 0.9


def verdict_of(result: dict[str, Any], runs: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return {"helps": True, False or None, "text": ...}; None where it cannot be said."""
    baseline = result["baseline"]
    stock, ours = result["summary"].get(baseline), result["summary"].get("hakmem")
    if ours is None:
        return _cannot("hakmem was not among the allocators")
    for name, row in ((baseline, stock), ("hakmem", ours)):
        if row["failures"]:
            return _cannot(f"the program failed under {name}: {row['failures'][0]}")
        if not row["runs_counted"]:
            return _cannot(f"no run under {name} was finished")
        if (looks := row["looks_min"]) < LOOKS_MIN:
            return _cannot(
                f"under {name} it ended after {looks} look{'s' * (looks != 1)} at its memory; too short to judge."
                " Give the program more to do, or a shorter --interval"
            )
    known = [name for name in LABELS if ours["medians"][name] is not None and stock["medians"][name] is not None]
    less = [name for name in known if _difference(ours, stock, name) < 0]
    more = [name for name in known if _difference(ours, stock, name) > 0]
    same = [name for name in known if name not in less and name not in more]
    sentences = []
    if less:
        sentences.append(f"hakmem helps: {_pairs(ours, stock, less)}.")
    else:
        sentences.append("hakmem does not help this program.")
    if more:
        sentences.append(f"It holds more: {_pairs(ours, stock, more)}.")
    if same:
        sentences.append(f"{_no_difference(ours, stock)}: {_pairs(ours, stock, same)}.")
    if not less:
        sentences.append(_why_not(ours, stock, result, runs))
    sentences.append(_time_sentence(ours, stock))
    whole = result["summary"].get(WHOLE)
    less_by_whole = _less_by_whole(whole, ours, stock, known) if whole else []
    if whole and less_by_whole:
        sentences.append(f"hakmem run --all helps{' more' if less else ''}: {_pairs(whole, stock, less_by_whole)}.")
    return {"helps": bool(less or less_by_whole), "text": " ".join(sentence for sentence in sentences if sentence)}


def _less_by_whole(
    whole: dict[str, Any], ours: dict[str, Any], stock: dict[str, Any], known: Sequence[str]
) -> list[str]:
    """Return what malloc, served too, makes less than both others; nothing where it was not measured well enough."""
    if whole["failures"] or not whole["runs_counted"] or whole["looks_min"] < LOOKS_MIN:
        return []
    there = [name for name in known if whole["medians"][name] is not None]
    return [name for name in there if _difference(whole, stock, name) < 0 and _difference(whole, ours, name) < 0]


def _cannot(reason: str) -> dict[str, Any]:
    return {"helps": None, "text": f"whether hakmem helps cannot be said: {reason}"}


def _difference(ours: dict[str, Any], stock: dict[str, Any], name: str) -> float:
    """Return how much more ours is; 0 where that is not beyond doubt. The ratios beside it are to the same baseline."""
    difference: float = ours["medians"][name] - stock["medians"][name]
    spread = max(ours["spread_percent"][name] or 0.0, stock["spread_percent"][name] or 0.0)
    percent = max(PERCENT_MIN if _has_spread(ours, stock) else PERCENT_MIN_OF_ONE_RUN, spread)
    margin = max(stock["medians"][name] * percent / 100, BYTES_MIN)
    return difference if abs(difference) > margin else 0.0


def _has_spread(ours: dict[str, Any], stock: dict[str, Any]) -> bool:
    return bool(ours["runs_counted"] > 1 and stock["runs_counted"] > 1)


def _no_difference(ours: dict[str, Any], stock: dict[str, Any]) -> str:
    """Say what a difference would have had to exceed: one run has no spread."""
    if _has_spread(ours, stock):
        return f"No difference beyond the spread of the runs, {PERCENT_MIN:g} % and {BYTES_MIN // MEBIBYTE} MiB"
    return f"No difference beyond {PERCENT_MIN_OF_ONE_RUN:g} % (one run has no spread) and {BYTES_MIN // MEBIBYTE} MiB"


def _pairs(ours: dict[str, Any], stock: dict[str, Any], names: Sequence[str]) -> str:
    pairs = []
    for name in names:
        left, right = ours["medians"][name], stock["medians"][name]
        if left is not None and right is not None:
            pairs.append(f"{LABELS[name]} {left / MEBIBYTE:.1f} MiB instead of {right / MEBIBYTE:.1f}")
    return ", ".join(pairs)


def _why_not(
    ours: dict[str, Any], stock: dict[str, Any], result: dict[str, Any], runs: Sequence[dict[str, Any]]
) -> str:
    """Say why it does not help, as far as the figures of the table tell; each sentence has those that it rests on."""
    unserved = sorted({name for run in runs if run["allocator"] == "hakmem" for name in run["unserved"]})
    if unserved:
        return (
            f"It did not reach the program's own children ({unserved[0]}):"
            " 'hakmem install-startup' lets 'hakmem run' reach them."
        )
    baseline = result["baseline"]
    reason = (
        "either nothing was dropped that could go back, or what it holds does not come from Python's objects;"
        " 'hakmem doctor PID' tells while it runs."
    )
    peak, idle, end = (stock["medians"][name] for name in ("peak_bytes", "idle_bytes", "end_bytes"))
    ends_at_peak = end >= AT_PEAK_PART * peak
    if idle is None and not ends_at_peak:  # it may be taking itself apart there
        fell = "the picture shows what fell when"
        return f"Under {baseline} it ends with {_mib(end)} of its peak of {_mib(peak)}; {fell}."
    if idle is None or idle >= AT_PEAK_PART * peak:
        if ends_at_peak:
            return f"The program ends at its peak under {baseline}: {reason}"
        return (
            f"Under {baseline} it is idle near its peak, with {_mib(idle)} of {_mib(peak)}, and falls to {_mib(end)}"
            f" only as it ends: {reason}"
        )
    its_idle, its_peak = ours["medians"]["idle_bytes"], ours["medians"]["peak_bytes"]
    if its_idle is not None and its_idle < AT_PEAK_PART * its_peak:
        return (
            f"Both give back what the program drops: idle, {baseline} holds {_mib(idle)} of its peak of {_mib(peak)},"
            f" hakmem {_mib(its_idle)} of {_mib(its_peak)}."
        )
    return f"{baseline} gives back what the program drops: idle, it holds {_mib(idle)} of its peak of {_mib(peak)}."


def _mib(size_bytes: float) -> str:
    return f"{size_bytes / MEBIBYTE:.1f} MiB"


def _time_sentence(ours: dict[str, Any], stock: dict[str, Any]) -> str:
    left, right = ours["medians"]["cpu_seconds"], stock["medians"]["cpu_seconds"]
    if not left or not right or max(left, right) < CPU_SECONDS_MIN:
        return ""
    spread = max(ours["spread_percent"]["cpu_seconds"] or 0.0, stock["spread_percent"]["cpu_seconds"] or 0.0)
    percent = 100 * (left - right) / right
    percent_min = CPU_PERCENT_MIN if _has_spread(ours, stock) else CPU_PERCENT_MIN_OF_ONE_RUN
    if abs(percent) <= max(spread, percent_min):
        within = "the spread of the runs" if spread > percent_min else f"{percent_min:g} %"
        return f"Processor time is the same within {within} ({left:.2f} s and {right:.2f} s)."
    return (
        f"It takes {abs(percent):.0f} % {'more' if percent > 0 else 'less'} processor time"
        f" ({left:.2f} s instead of {right:.2f})."
    )
