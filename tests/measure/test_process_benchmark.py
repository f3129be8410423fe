"""Figures that bench-process makes of its samples, its verdicts at their limits, and its workloads' survivors."""

from __future__ import annotations

from pathlib import Path

import pytest
from bench.process import report, start
from bench.process.pairs import PAIRS_MIN, Pairs, chance_of_sides, measure_pairs
from bench.process.part_kept import PartKept
from bench.process.workloads import WORKLOADS, Source
from bench.shared.results import MEBIBYTE, Results, compare_digests
from bench.shared.runner import Sample
from bench.shared.tables import console

BASE_MIB = 20
CASES = ("numpy arrays 1 %", "mixed server 1 %")


def sample(workload: str, peer: str, peak: float, idle: float, cpu: float, run: int = 0) -> Sample:
    """Memory in MiB above stock's base; the base of the others is larger, and must not count."""
    base = BASE_MIB if peer == report.STOCK else BASE_MIB + 3
    peak_bytes, idle_bytes = (int((BASE_MIB + value + run) * MEBIBYTE) for value in (peak, idle))
    return Sample(workload, peer, base * MEBIBYTE, 0, peak_bytes, 0, 0, idle_bytes, cpu, "same")


def results(peak: float = 103, idle: float = 6.5, leanest: float = 10) -> Results:
    found = []
    for case in CASES:
        found += [sample(case, report.STOCK, 100, 90, 1.0), sample(case, report.LEANEST, 100, leanest, 1.2)]
        found.append(sample(case, report.OURS, peak, idle, 1.0))
    return Results(found, report.STOCK, report.OURS)


def one_pair(case: str, ratio: float = 1.0) -> Pairs:
    return Pairs(case, [sample(case, report.STOCK, 1, 1, 2.0)], [sample(case, report.OURS, 1, 1, 2 * ratio)])


def pairs(ratio: float = 1.0) -> list[Pairs]:
    return [one_pair(case, ratio) for case in CASES]


def starts(extra_ms: float = 1.0, extra_bytes: int = MEBIBYTE) -> list[start.Start]:
    with_library = start.Start(start.WITH, [0.5 + extra_ms, 90], [2 * MEBIBYTE + extra_bytes])
    with_library.milliseconds.append(0.5)
    return [start.Start(start.WITHOUT, [0.5], [2 * MEBIBYTE]), with_library]


def verdicts(
    found: Results, started: list[start.Start] | None = None, measured_pairs: list[Pairs] | None = None
) -> dict[str, str]:
    judged = report.judge(
        found, pairs() if measured_pairs is None else measured_pairs, starts() if started is None else started
    )
    return {verdict.target.replace(report.IDLE, "idle"): verdict.verdict for verdict in judged}


PLUS_4 = f"idle: at most {report.LEANEST} + 4 MiB everywhere"
IDLE_MEAN = f"idle: geometric mean at most 0.65 of {report.LEANEST}"
SERVER = f"idle: mixed server at most 0.90 of {report.LEANEST}"
PEAK = f"peak: geometric mean at most 1.03 of {report.STOCK}"
CPU_MEAN = f"cpu time: geometric mean at most 1.00 of {report.STOCK}"
CPU_EACH = f"cpu time: at most 1.10 of {report.STOCK} everywhere"
TRUE = "`true` with the library preloaded: at most 1 ms more than without"
CAT = "`cat` with the library preloaded: at most 1 MiB more than without"
ALL = {PLUS_4, IDLE_MEAN, SERVER, PEAK, CPU_MEAN, CPU_EACH, TRUE, CAT}


def test_all_targets_are_met_at_their_limits() -> None:
    assert verdicts(results()) == dict.fromkeys(ALL, "met")


@pytest.mark.parametrize(
    ("figures", "missed"),
    [
        ({"idle": 6.6}, {IDLE_MEAN}),
        ({"idle": 9.1}, {IDLE_MEAN, SERVER}),
        ({"idle": 14.1}, {PLUS_4, IDLE_MEAN, SERVER}),
        ({"peak": 104}, {PEAK}),
    ],
)
def test_each_target_is_missed_beyond_its_limit(figures: dict[str, float], missed: set[str]) -> None:
    found = verdicts(results(**figures))
    assert {target for target, verdict in found.items() if verdict != "met"} == missed


@pytest.mark.parametrize(("ratio", "missed"), [(1.0, set()), (1.05, {CPU_MEAN}), (1.11, {CPU_MEAN, CPU_EACH})])
def test_processor_time_is_judged_by_pairs(ratio: float, missed: set[str]) -> None:
    found = verdicts(results(), measured_pairs=pairs(ratio))
    assert {target for target, verdict in found.items() if verdict != "met"} == missed


def test_what_is_below_one_mebibyte_counts_as_one() -> None:
    idle = report.PHASES[report.IDLE]
    assert results(idle=-2, leanest=0.3).ratio_to(CASES[0], report.LEANEST, idle) == 1.0
    assert results(idle=-2, leanest=2.0).ratio_to(CASES[0], report.LEANEST, idle) == 0.5
    assert verdicts(results(idle=-2, leanest=0.3))[IDLE_MEAN] == "missed"


def test_figures_are_medians_above_the_base_of_stock() -> None:
    runs = [sample(CASES[0], report.OURS, 50, 5, 1, run) for run in (0, 1, 7)]
    found = Results([sample(CASES[0], report.STOCK, 60, 60, 1), *runs], report.STOCK, report.OURS)
    assert found.above_stock(CASES[0], report.OURS, report.PHASES["peak"]) == 51 * MEBIBYTE


def test_a_case_that_failed_once_misses_its_targets() -> None:
    found = results()
    found.samples[-1].failure = "exit code -6"
    judged = verdicts(found)
    assert [judged[target] for target in (PLUS_4, IDLE_MEAN, PEAK)] == ["missed"] * 3
    text = shown(found)
    assert "exit code -6" in text
    assert "failed" in text


def test_a_pair_that_failed_misses_its_targets() -> None:
    measured = pairs()
    measured[1].ours[0].failure = "exit code -6"
    judged = verdicts(results(), measured_pairs=measured)
    assert [judged[target] for target in (CPU_MEAN, CPU_EACH)] == ["missed"] * 2
    assert "exit code -6" in shown(results(), measured_pairs=measured)


def test_a_target_of_which_every_case_failed_is_missed() -> None:
    found = results()
    for row in found.samples:
        row.failure = "exit code -6" if row.peer == report.OURS else ""
    judged = verdicts(found)
    assert {judged[target] for target in ALL - {TRUE, CAT, CPU_MEAN, CPU_EACH}} == {"missed"}


def test_survivors_that_differ_are_a_failure() -> None:
    found = results()
    found.samples[-1].digest = "other"
    compare_digests(found.samples, report.STOCK)
    assert [row.failure for row in found.failures()] == ["survivors differ from glibc's: other"]


def test_targets_without_their_peer_are_not_measured() -> None:
    kept = [row for row in results().samples if row.peer != report.LEANEST]
    judged = verdicts(Results(kept, report.STOCK, report.OURS), [], [])
    assert {target for target, verdict in judged.items() if verdict == "not measured"} == {
        *(PLUS_4, IDLE_MEAN, SERVER),
        *(TRUE, CAT, CPU_MEAN, CPU_EACH),
    }


def test_start_of_a_small_program_is_judged_by_medians() -> None:
    assert verdicts(results(), starts(extra_ms=1.1))[TRUE] == "missed"
    assert verdicts(results(), starts(extra_bytes=MEBIBYTE + 4096))[CAT] == "missed"
    failed = [*starts()[:1], start.Start(start.WITH, [1.0], [], "it is not in the process")]
    judged = verdicts(results(), failed)
    assert (judged[TRUE], judged[CAT]) == ("missed", "missed")
    assert "it is not in the process" in shown(results(), failed)


def test_a_library_that_is_not_preloaded_is_not_measured(tmp_path: Path) -> None:
    library = tmp_path / "libnosuch.so"
    without, preloaded = start.measure_starts(library, {}, 1)
    assert without.failure == ""
    assert min(without.milliseconds) > 0
    assert preloaded.failure == "libnosuch.so is not in the process"


def shown(found: Results, started: list[start.Start] | None = None, measured_pairs: list[Pairs] | None = None) -> str:
    output = console()
    with output.capture() as captured:
        output.print(report.all_tables(found, measured_pairs or pairs(), started or starts()))
    return captured.get()


def test_tables_show_each_case_under_each_peer() -> None:
    text = shown(results())
    _, _, idle = text.partition(f"{report.IDLE}: MiB above glibc's base")
    row = next(line for line in idle.splitlines() if line.startswith(CASES[0]))
    assert row.removeprefix(CASES[0]).split() == ["90.0", "10.0", "6.5", "0.07", "0.65"]


# ---- Pairs ----


def measured(ratios: list[float], pairs_max: int = 30) -> tuple[Pairs, list[str]]:
    """Pairs whose ratios are these, over and over; and whose process came when."""
    order: list[str] = []

    def measure(peer: str) -> Sample:
        count = order.count(peer)
        order.append(peer)
        seconds = ratios[count % len(ratios)] if peer == report.OURS else 1.0
        return Sample(CASES[0], peer, cpu_seconds=seconds)

    return measure_pairs(CASES[0], report.STOCK, report.OURS, 1.1, measure, pairs_max), order


def test_neighbours_take_turns() -> None:
    _, order = measured([1.0], 3)
    assert order == [report.STOCK, report.OURS, report.OURS, report.STOCK, report.STOCK, report.OURS]


@pytest.mark.parametrize("ratio", [1.0, 1.2])
def test_clear_cases_need_few_pairs(ratio: float) -> None:
    found, _ = measured([ratio])
    assert (len(found.ratios()), found.ratio()) == (PAIRS_MIN, ratio)


def test_a_case_near_the_limit_needs_more() -> None:
    assert len(measured([1.2, 1.0, 1.0, 1.0])[0].ratios()) in range(PAIRS_MIN + 1, 30)
    found, _ = measured([1.2, 1.05])
    assert len(found.ratios()) == 30
    assert found.ratio() == pytest.approx(1.125)


def test_a_failure_ends_the_pairs() -> None:
    def measure(peer: str) -> Sample:
        return Sample(CASES[0], peer, cpu_seconds=1.0, failure="exit code 1" if peer == report.OURS else "")

    found = measure_pairs(CASES[0], report.STOCK, report.OURS, 1.1, measure)
    assert (len(found.stock), len(found.ours), found.ratio()) == (1, 1, None)


@pytest.mark.parametrize(
    ("above", "below", "chance"), [(0, 6, 2 / 64), (6, 0, 2 / 64), (1, 5, 14 / 64), (3, 3, 1.0), (0, 0, 1.0)]
)
def test_chance_of_sides(above: int, below: int, chance: float) -> None:
    assert chance_of_sides([1.2] * above + [1.0] * below, 1.1) == chance


# ---- Workloads ----


class Numbers(PartKept):
    def write_input(self, path: Path) -> None:
        path.write_text("7")

    def grow(self) -> None:
        self.held = list(range(self.count(1_000)))


@pytest.mark.parametrize(("share", "kept"), [(0, 0), (0.01, 10), (0.05, 50)])
def test_a_share_is_kept(tmp_path: Path, share: float, kept: int) -> None:
    workload = Numbers(1, tmp_path, share)
    workload.grow()
    workload.drop()
    assert workload.held is None
    assert len(set(workload.survivors)) == kept
    assert workload.digest().startswith(f"{kept} ")


def test_an_input_is_written_once_for_each_scale(tmp_path: Path) -> None:
    for scale in (1, 1, 0.5):
        Numbers(scale, tmp_path / "inputs", 0).write_input_once()
    written = sorted((tmp_path / "inputs").iterdir())
    assert len(written) == 2
    written[0].write_text("8")
    for scale in (1, 0.5):
        Numbers(scale, tmp_path / "inputs", 0).write_input_once()
    assert written[0].read_text() == "8"


def test_sqlite_keeps_databases_that_answer(tmp_path: Path) -> None:
    workload = WORKLOADS["sqlite in memory"].load()(0.07, tmp_path, 0.05)
    workload.prepare()
    workload.grow()
    workload.drop()
    assert [workload.describe(survivor)[:6] for survivor in workload.survivors] == ["(2500,"]


def test_a_workload_whose_library_is_not_there_says_so() -> None:
    assert (
        Source("nosuch", "NoSuch", ("nosuch_library", "pytest")).absent() == "nosuch_library cannot be imported (PyPI)"
    )
    assert Source("databases", "Databases").absent() == ""
