"""Figures, allocators and verdicts, from samples and results that are written here."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hakmem.measure import allocators, figures
from hakmem.measure.allocators import Allocator
from hakmem.measure.measure_error import MeasureError
from hakmem.measure.runs import Run
from hakmem.measure.sampler import Sample
from hakmem.measure.verdict import verdict_of

MEBIBYTE = 1024 * 1024


def samples_of(rows: list[tuple[float, int, float]]) -> list[Sample]:
    return [Sample(seconds, size * MEBIBYTE, size * MEBIBYTE // 2, cpu, 1) for seconds, size, cpu in rows]


WORK_THEN_IDLE = samples_of([
    (0.0, 10, 0.0), (1.0, 100, 1.0), (2.0, 60, 1.5), (2.5, 40, 1.5), (3.0, 20, 1.5), (3.5, 20, 1.5), (3.6, 8, 1.6),
])  # fmt: skip


def test_figures_of_one_process() -> None:
    run = Run(["x"], samples=WORK_THEN_IDLE, high_water_bytes=123 * MEBIBYTE, processes_max=1)
    found = figures.figures_of(run)
    assert found["peak_bytes"] == 123 * MEBIBYTE  # between two looks
    assert found["idle_bytes"] == 20 * MEBIBYTE
    assert found["end_bytes"] == 14 * MEBIBYTE
    area = 55 + 80 + 25 + 15 + 10 + 1.4
    assert found["mean_bytes"] == pytest.approx(area / 3.6 * MEBIBYTE)


def test_several_processes_count_what_they_share_once() -> None:
    run = Run(["x"], samples=WORK_THEN_IDLE, high_water_bytes=123 * MEBIBYTE, processes_max=3)
    assert figures.figures_of(run)["peak_bytes"] == 50 * MEBIBYTE


def test_a_program_that_works_to_its_end_has_no_idle_tail() -> None:
    busy = samples_of([(second / 10, 10, second / 10) for second in range(30)])
    assert figures.idle_tail(busy) == []


def test_a_busy_end_does_not_hide_the_idle_tail() -> None:
    rows = [(second / 10, 50 - second, second / 10) for second in range(20)]
    rows += [(2 + second / 10, 20, 2.0) for second in range(20)]
    rows += [(4 + second / 10, 9, 2.3 + second / 10) for second in range(10)]
    tail = figures.idle_tail(samples_of(rows))
    assert {sample.rss_bytes for sample in tail} == {20 * MEBIBYTE}
    assert 2.8 < tail[0].seconds < 3.1
    rows += [(5 + second / 10, 9, 3.3 + second / 10) for second in range(20)]
    assert figures.idle_tail(samples_of(rows)) == []  # that was work


def test_spread_and_median() -> None:
    rows: list[figures.Figures] = [{"x": 90.0}, {"x": 100.0}, {"x": 120.0}]
    assert figures.median_of(rows, "x") == 100
    assert figures.spread_percent(rows, "x") == 30
    assert figures.spread_percent(rows[:1], "x") is None
    assert figures.median_of([*rows, {"x": None}], "x") is None


def summary(
    peak: float, idle: float, cpu: float, spread: float = 1.0, failures: tuple[str, ...] = (), looks: int = 50
) -> dict[str, Any]:
    values = {"peak_bytes": peak, "end_bytes": idle, "idle_bytes": idle, "mean_bytes": (peak + idle) / 2}
    medians = {name: value * MEBIBYTE for name, value in values.items()} | {"cpu_seconds": cpu}
    return {
        "runs_counted": 0 if failures else 3,
        "failures": list(failures),
        "looks_min": looks,
        "medians": medians,
        "spread_percent": dict.fromkeys(medians, spread),
    }


def verdict(stock: dict[str, Any], ours: dict[str, Any]) -> dict[str, Any]:
    return verdict_of({"baseline": "pymalloc", "summary": {"pymalloc": stock, "hakmem": ours}}, [])


def test_verdict_helps_and_names_the_price() -> None:
    found = verdict(summary(500, 400, 10), summary(500, 30, 11))
    assert found["helps"] is True
    assert "idle 30.0 MiB instead of 400.0" in found["text"]
    assert "No difference beyond the spread of the runs, 10 % and 2 MiB: peak 500.0 MiB" in found["text"]
    assert "10 % more processor time" in found["text"]


def test_verdict_does_not_call_noise_help() -> None:
    assert verdict(summary(500, 400, 10, spread=30), summary(500, 300, 10, spread=30))["helps"] is False
    assert verdict(summary(20, 20, 10), summary(19, 18.5, 10))["helps"] is False  # nobody needs one MiB
    assert "holds more: peak 600.0 MiB instead of 500.0" in verdict(summary(500, 490, 9), summary(600, 590, 9))["text"]


def test_verdict_names_what_a_difference_is_judged_by() -> None:
    one = {"runs_counted": 1, "spread_percent": dict.fromkeys(summary(1, 1, 1)["medians"])}
    text = verdict(summary(500, 400, 10) | one, summary(500, 400, 10) | one)["text"]
    assert "No difference beyond 20 % (one run has no spread) and 2 MiB: peak" in text
    assert "Processor time is the same within 10 % (10.00 s and 10.00 s)" in text
    text = verdict(summary(500, 400, 10, spread=30), summary(500, 400, 12, spread=30))["text"]
    assert "Processor time is the same within the spread of the runs" in text
    assert "rocessor time" not in verdict(summary(500, 400, 0.03), summary(500, 400, 0.06))["text"]


def test_no_verdict_where_it_was_hardly_looked_at() -> None:
    found = verdict(summary(500, 400, 10), summary(300, 20, 10, looks=1))
    assert found["helps"] is None
    assert "under hakmem it ended after 1 look at its memory; too short to judge" in found["text"]


def test_verdict_where_a_run_failed() -> None:
    found = verdict(summary(500, 400, 10), summary(0, 0, 0, failures=("exit code 3",)))
    assert found == {
        "helps": None,
        "text": "whether hakmem helps cannot be said: the program failed under hakmem: exit code 3",
    }


def test_missing_allocator_is_named_with_what_brings_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(allocators, "LIBRARY_FOLDERS", (str(tmp_path),))
    monkeypatch.setattr(allocators.sys, "path", [])
    missing = {row.name: row.missing for row in allocators._preloaded_peers(["true"], "python")}
    assert missing["jemalloc"] == "libjemalloc.so.2 was not found; the Debian package libjemalloc2 brings it"
    assert "cmeel-mimalloc" in missing["mimalloc"]
    rows = [Allocator("pymalloc"), Allocator("jemalloc", missing="no")]
    with pytest.raises(MeasureError, match="jemalloc cannot be used: no"):
        allocators.choose(rows, ["jemalloc"], "pymalloc")
    assert allocators.choose(rows, [], "pymalloc") == rows


def test_every_turn_begins_with_another_allocator() -> None:
    rows = [Allocator(name) for name in "abc"]
    assert ["".join(row.name for row in allocators.in_turn(rows, turn)) for turn in range(4)] == [
        "abc", "bca", "cab", "abc",
    ]  # fmt: skip
