"""bench-arrays: its verdicts at their limits, its ratios, and its measured processes."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from bench.arrays import report
from bench.arrays.csv_file import write_file
from bench.arrays.times import ROUNDS, UNCOUNTED_ROUNDS, Times, size_text
from bench.shared.results import MEBIBYTE, Results
from bench.shared.runner import Sample
from bench.shared.tables import console
from bench.shared.turns import Turns

SIZES = (80, 160)
STORY = "many sizes"


def sample(workload: str, peer: str, peak: float, idle: float) -> Sample:
    """Memory in MiB above a base of 30."""
    peak_bytes, idle_bytes = (int((30 + value) * MEBIBYTE) for value in (peak, idle))
    return Sample(workload, peer, 30 * MEBIBYTE, 0, peak_bytes, 0, 0, idle_bytes, 1.0, "same")


def results(story: float = 13, survivors: float = 25, worker: float = 20) -> Results:
    found = [sample(STORY, report.STOCK, 100, 90), sample(STORY, report.OURS, 100, story)]
    found += [sample(report.SURVIVORS, report.STOCK, 100, 100), sample(report.SURVIVORS, report.OURS, 100, survivors)]
    found += [sample(report.WORKER, report.STOCK, 100, 40), sample(report.WORKER, report.LEANEST, 100, 20)]
    return Results([*found, sample(report.WORKER, report.OURS, 100, worker)], report.STOCK, report.OURS)


def times(ratio: float = 1.0, other_size: float = 1.0, learning: float = 5.0) -> Times:
    """The rounds in which an allocator learns must not count."""
    counted = ROUNDS - UNCOUNTED_ROUNDS
    seconds = [learning] * UNCOUNTED_ROUNDS + [ratio] * counted + [learning] * UNCOUNTED_ROUNDS + [other_size] * counted
    stock = Turns("copy", report.STOCK, round_seconds=[1.0] * len(seconds))
    return Times("copy", SIZES, stock, Turns("copy", report.OURS, round_seconds=seconds))


BACK = f"{report.IDLE}: at most the base + 5 % of the peak + 8 MiB"
SURVIVORS = f"{report.IDLE}: {report.SURVIVORS}: at most 0.25 of {report.STOCK}"
WORKER = f"{report.IDLE}: {report.WORKER}: at most 0.50 of {report.STOCK}"
WORKER_LEAN = f"{report.IDLE}: {report.WORKER}: at most 1.00 of {report.LEANEST}"
MEAN = f"time: geometric mean at most 1.03 of {report.STOCK}"
EACH = f"time: at most 1.10 of {report.STOCK} at every size"


def verdicts(found: Results, all_times: list[Times]) -> dict[str, str]:
    return {verdict.target: verdict.verdict for verdict in report.judge(found, all_times)}


def test_all_targets_are_met_at_their_limits() -> None:
    found = verdicts(results(), [times(1.05, 1.0)])
    assert found == dict.fromkeys((BACK, SURVIVORS, WORKER, WORKER_LEAN, MEAN, EACH), "met")


@pytest.mark.parametrize(
    ("figures", "ratio", "missed"),
    [
        ({"story": 13.1}, 1.0, {BACK}),
        ({"survivors": 26}, 1.0, {SURVIVORS}),
        ({"worker": 20.5}, 1.0, {WORKER, WORKER_LEAN}),
        ({}, 1.09, {MEAN}),
        ({}, 1.12, {MEAN, EACH}),
    ],
)
def test_each_target_is_missed_beyond_its_limit(figures: dict[str, float], ratio: float, missed: set[str]) -> None:
    found = verdicts(results(**figures), [times(ratio)])
    assert {target for target, verdict in found.items() if verdict != "met"} == missed


def test_targets_without_their_part_are_not_measured() -> None:
    found = verdicts(Results([], report.STOCK, report.OURS), [])
    assert set(found.values()) == {"not measured"}


def test_a_failure_is_no_figure() -> None:
    failed = times()
    failed.samples[1].failure = "exit code -6"
    failed = Times("copy", SIZES, *failed.samples)
    found = results()
    found.samples[-1].failure = "exit code -9"
    judged = verdicts(found, [failed])
    assert [judged[target] for target in (WORKER, WORKER_LEAN, MEAN, EACH)] == ["missed"] * 4
    output = console()
    with output.capture() as captured:
        output.print(report.all_tables(found, [failed]))
    assert "exit code -6" in captured.get()
    assert "exit code -9" in captured.get()


@pytest.mark.parametrize(("size_bytes", "text"), [(80, "80 B"), (81920, "81.9 kB"), (167_772_160, "168 MB")])
def test_sizes_are_told_in_three_digits(size_bytes: int, text: str) -> None:
    assert size_text(size_bytes) == text


def test_the_file_has_its_size(tmp_path: Path) -> None:
    write_file(tmp_path / "rows.csv", 20_000)
    lines = (tmp_path / "rows.csv").read_text().splitlines()
    assert lines[0].split(",") == ["id", "name", "amount", "rate", "note"]
    assert {len(line.split(",")) for line in lines} == {5}
    assert 20_000 <= (tmp_path / "rows.csv").stat().st_size < 20_200


def test_rounds_of_each_size_are_measured_by_turns() -> None:
    pytest.importorskip("numpy", reason="NumPy is not here: pip install numpy")
    from bench.arrays.measuring import PYTHON_PATH
    from bench.arrays.times import measure_times
    from bench.shared.child import Start
    from bench.shared.peers import clean_environment

    environment = clean_environment() | {"PYTHONPATH": str(PYTHON_PATH)}
    child = ["-m", "bench.arrays.times_child"]
    starts = {
        report.STOCK: Start([sys.executable, *child], environment, ""),
        report.OURS: Start([sys.executable, "-m", "hakmem", "run", "--require", *child], environment, "_hakmem"),
    }
    found = measure_times("zeros and touch", SIZES, starts, 4)
    assert [found.failure, *(len(each.round_seconds) for each in found.samples)] == ["", 8, 8]
    assert all(ratio is not None and 0.1 < ratio < 10 for ratio in found.ratios())


def test_survivors_of_the_stories_are_the_same_each_time() -> None:
    pytest.importorskip("numpy", reason="NumPy is not here: pip install numpy")
    from bench.arrays.stories import STORIES

    for name, story in STORIES.items():
        digests = []
        for _ in range(2):
            told = story(0.01, Path())
            told.grow()
            told.drop()
            digests.append(told.digest())
        assert digests[0] == digests[1]
        assert digests[0].startswith("2 " if name == report.SURVIVORS else "0 ")
