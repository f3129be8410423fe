"""What the verdict of a comparison says is what the figures beside it say."""

from __future__ import annotations

import math
import re
from typing import Any

import pytest
from hakmem.measure import figures
from hakmem.measure.verdict import verdict_of
from hypothesis import example, given
from hypothesis import strategies as some

MEBIBYTE = 1024 * 1024
ROUNDING_MIB = 0.051
Row = tuple[float, float | None, float, float, float]  # MiB: peak, idle, end, mean; processor seconds


def summary(row: Row, spread: float, runs: int) -> dict[str, Any]:
    peak, idle, end, mean, cpu_seconds = row
    values = {"peak_bytes": peak, "end_bytes": end, "idle_bytes": idle, "mean_bytes": mean}
    medians = {name: None if value is None else value * MEBIBYTE for name, value in values.items()}
    medians |= {"cpu_seconds": cpu_seconds, "wall_seconds": cpu_seconds}
    spreads = dict.fromkeys(medians, spread if runs > 1 else None)
    return {"runs_counted": runs, "failures": [], "looks_min": 50, "medians": medians, "spread_percent": spreads}


def verdict(stock: Row, ours: Row, spread: float = 1.0, runs: int = 3) -> dict[str, Any]:
    rows = {"pymalloc": summary(stock, spread, runs), "hakmem": summary(ours, spread, runs)}
    assert set(rows["hakmem"]["medians"]) == set(figures.NAMES)
    return verdict_of({"baseline": "pymalloc", "summary": rows}, [])


def test_malloc_served_too_is_named_where_it_helps_alone() -> None:
    stock, ours, whole = (476, 474, 474, 400, 1), (476, 424, 424, 400, 1), (480, 73, 73, 200, 1)
    rows = {name: summary(row, 1.0, 3) for name, row in (("pymalloc", stock), ("hakmem", ours), ("hakmem, all", whole))}
    found = verdict_of({"baseline": "pymalloc", "summary": rows}, [])
    assert found["helps"] is True
    assert "hakmem run --all helps" in found["text"]
    assert "idle 73.0 MiB instead of 474.0, on average 200.0 MiB instead of 400.0" in found["text"]
    rows["hakmem, all"] = rows["hakmem"]
    assert "--all" not in verdict_of({"baseline": "pymalloc", "summary": rows}, [])["text"]


AT_PEAK = "The program ends at its peak under pymalloc: either nothing was dropped"
FALLS = "Under pymalloc it is idle near its peak, with {} of {}, and falls to {} only as it ends: either nothing"
ENDS_WITH = "Under pymalloc it ends with {} of its peak of {}; the picture shows what fell when."
BOTH = "Both give back what the program drops: idle, pymalloc holds {} of its peak of {}, hakmem {} of {}."
STOCK_ALONE = "pymalloc gives back what the program drops: idle, it holds {} of its peak of {}."


@pytest.mark.parametrize(
    ("stock", "ours", "expected"),
    [
        # It sleeps with all that it has, and takes itself apart before it ends.
        ((276, 276, 18, 250, 1), (277, 277, 19, 251, 1), FALLS.format("276.0 MiB", "276.0 MiB", "18.0 MiB")),
        # It works up to its end, and takes itself apart.
        ((276, None, 18, 150, 1), (277, None, 19, 151, 1), ENDS_WITH.format("18.0 MiB", "276.0 MiB")),
        ((276, None, 276, 150, 1), (277, None, 276, 151, 1), AT_PEAK),
        ((276, 270, 270, 150, 1), (277, 271, 270, 151, 1), AT_PEAK),
        # It grows once more at its end.
        ((276, 40, 276, 150, 1), (277, 41, 276, 151, 1), BOTH.format("40.0 MiB", "276.0 MiB", "41.0 MiB", "277.0 MiB")),
        ((276, 40, 40, 60, 1), (277, 41, 40, 60, 1), BOTH.format("40.0 MiB", "276.0 MiB", "41.0 MiB", "277.0 MiB")),
        ((276, 40, 40, 60, 1), (277, 260, 40, 200, 1), STOCK_ALONE.format("40.0 MiB", "276.0 MiB")),
        ((276, 40, 40, 60, 1), (277, None, 40, 60, 1), STOCK_ALONE.format("40.0 MiB", "276.0 MiB")),
    ],
)
def test_why_it_does_not_help(stock: Row, ours: Row, expected: str) -> None:
    found = verdict(stock, ours)
    assert found["helps"] is False
    assert expected in found["text"]


def test_percents_are_of_the_baseline_as_the_ratios_are() -> None:
    """10.6 by 8.5 is 1.24 in the table beside "no difference beyond 20 %"."""
    found = verdict((8.5, None, 8, 8, 0), (10.6, None, 8, 8, 0), runs=1)
    assert "It holds more: peak 10.6 MiB instead of 8.5" in found["text"]


@some.composite
def row(draw: some.DrawFn) -> Row:
    peak = draw(some.floats(4, 1000))
    idle, end, mean = (draw(some.floats(1, peak)) for _ in range(3))
    return peak, draw(some.sampled_from([idle, None])), end, mean, draw(some.floats(0, 100))


@given(row(), row(), some.floats(0, 60), some.sampled_from([1, 3]))
@example((276, 276, 18, 250, 1), (276, 276, 18, 250, 1), 1.0, 3)
def test_no_statement_contradicts_a_figure(stock: Row, ours: Row, spread: float, runs: int) -> None:
    found = verdict(stock, ours, spread, runs)
    text = found["text"]
    pairs = said_pairs(text)
    percent = max(10.0, spread) if runs > 1 else 20.0
    known = {"peak": 0, "idle": 1, "on average": 3}
    assert {name for kind in pairs.values() for name in kind} == {
        name for name, place in known.items() if stock[place] is not None and ours[place] is not None
    }
    for kind, told in pairs.items():
        for name, (left, right) in told.items():
            assert math.isclose(left, ours[known[name]] or 0, abs_tol=ROUNDING_MIB)
            assert math.isclose(right, stock[known[name]] or 0, abs_tol=ROUNDING_MIB)
            margin = max(percent / 100 * right, 2) + 3 * ROUNDING_MIB
            if kind == "same":
                assert abs(left - right) <= margin
            else:
                assert (left < right) == (kind == "less")
                assert abs(left - right) > margin - 6 * ROUNDING_MIB
    assert found["helps"] == bool(pairs["less"]) == ("hakmem does not help" not in text)
    check_reasons(text, stock, ours)
    if match := re.search(r"It takes (\d+) % (more|less) processor time", text):
        assert (ours[4] > stock[4]) == (match[2] == "more")
        assert math.isclose(int(match[1]), 100 * abs(ours[4] - stock[4]) / stock[4], abs_tol=0.51)


def said_pairs(text: str) -> dict[str, dict[str, tuple[float, float]]]:
    """Name to (ours, theirs), by what is said of it."""
    begins = {"less": r"hakmem helps:", "more": r"It holds more:", "same": r"No difference beyond [^:]+:"}
    found: dict[str, dict[str, tuple[float, float]]] = {}
    for kind, begin in begins.items():
        sentence = re.search(rf"{begin} ((?:[a-z ]+ [\d.]+ MiB instead of [\d.]+(?:, )?)+)\.( |$)", text)
        told = re.findall(r"([a-z ]+) ([\d.]+) MiB instead of (\d+\.\d)", sentence[1]) if sentence else []
        found[kind] = {name.strip(): (float(left), float(right)) for name, left, right in told}
    return found


def check_reasons(text: str, stock: Row, ours: Row) -> None:
    peak, idle, end, *_ = stock
    if "ends at its peak" in text:
        assert end >= 0.9 * peak
        assert idle is None or idle >= 0.9 * peak
    if "is idle near its peak" in text:
        assert idle is not None
        assert idle >= 0.9 * peak > end
    if "gives back what the program drops" in text or "Both give back" in text:
        assert idle is not None
        assert idle < 0.9 * peak
    if "Both give back" in text:
        assert ours[1] is not None
        assert ours[1] < 0.9 * ours[0]
    if "it ends with" in text:
        assert idle is None
        assert end < 0.9 * peak
