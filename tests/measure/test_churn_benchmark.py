"""What bench-churn sees of a process, its verdicts at their limits, its peers, and its programs' digests."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any
from weakref import WeakSet

import pytest
from bench.churn import cases, changing, contenders, report, targets
from bench.churn.application import application
from bench.churn.more_programs import MORE_PROGRAMS, RestedByteArrays, RestedDocument
from bench.churn.programs import PROGRAMS, SERVICES, JsonDocument, as_service
from bench.churn.results import ChurnResults
from bench.churn.rounds import Rounds
from bench.churn.runner import STRETCHES, ChurnSample, measure, stretches
from bench.lua import runner as lua
from bench.shared import command
from bench.shared.child import Start
from bench.shared.peers import Peer, clean_environment
from bench.shared.results import MEBIBYTE
from bench.shared.tables import console
from bench.shared.workload import Workload

STOCK, OURS = contenders.STOCK, contenders.OURS
FROZEN, UNLIMITED, LEANEST = contenders.FROZEN, contenders.UNLIMITED, contenders.LEANEST
NEVER = {"HAKMEM_THP": "never"}

# ---- What is seen of a process ----

# Touches 32 MiB page by page, holds them for a while, unmaps them; says that it works in the process that is named.
TOUCHES = """
import json, mmap, os, sys, time
def stand_still(mark):
    os.write(1, mark.encode() + b"\\n")
    os.read(0, 1)
stand_still(sys.argv[1] if len(sys.argv) > 1 else "base")
held = mmap.mmap(-1, 32 << 20)
held.madvise(mmap.MADV_NOHUGEPAGE)
for offset in range(0, len(held), mmap.PAGESIZE):
    held[offset] = 1
end = time.process_time() + 0.3
while time.process_time() < end:
    pass
stand_still("held")
held.close()
stand_still("dropped")
print(json.dumps({"digest": "same"}), flush=True)
"""
TOUCHED_PAGES = 8192


def measured(*words: str, program: str = TOUCHES) -> ChurnSample:
    return measure("touches", "stock", Start([sys.executable, "-c", program, *words], clean_environment(), ""))


def test_time_faults_and_memory_are_those_of_the_work() -> None:
    sample = measured()
    assert sample.failure == ""
    assert 0.3 <= sample.cpu_seconds < 10
    assert sample.user_seconds + sample.system_seconds == pytest.approx(sample.cpu_seconds, abs=0.05)
    assert TOUCHED_PAGES * 4096 // 16384 <= sample.faults < TOUCHED_PAGES + 2000  # OS pages of 4 to 16 KiB
    grown = [size - sample.base_bytes for size in (sample.mean_bytes, sample.peak_bytes, sample.idle_bytes)]
    assert 16 * MEBIBYTE < grown[0] <= grown[1]
    assert 32 * MEBIBYTE <= grown[1] < 36 * MEBIBYTE
    assert grown[2] < 4 * MEBIBYTE
    assert sample.digest == "same"


@pytest.mark.parametrize(
    ("end", "failure"),
    [
        ("raise SystemExit(3)", "ended before its time"),
        ("print(1); raise SystemExit(3)", "said '1' where 'base' was due"),
    ],
)
def test_child_that_ends_itself_is_a_failure(end: str, failure: str) -> None:
    assert failure in measured(program=end).failure


def test_exit_code_is_a_failure() -> None:
    assert "exit code 3" in measured(program=f"{TOUCHES}raise SystemExit(3)").failure


def test_stretches_are_all_of_the_time() -> None:
    marks = [10 + number / 100 for number in range(121)]
    assert stretches(marks, 1.5) == pytest.approx([*[0.1] * STRETCHES, 0.3])
    assert sum(stretches(marks[:4], 0.5)) == pytest.approx(0.5)
    assert stretches([], 0.5) == []


def test_programs_note_their_marks() -> None:
    sample = measure("bytes objects", "stock", cases.all_cases(0.2, Path(), None)["bytes objects"].start(Peer("stock")))
    assert sample.failure == ""
    assert len(sample.stretch_seconds) == STRETCHES + 1
    assert min(sample.stretch_seconds[:-1]) > 0
    assert sum(sample.stretch_seconds) == pytest.approx(sample.cpu_seconds)


def test_time_is_of_the_fastest_run_stretch_by_stretch() -> None:
    runs = [ChurnSample("a", STOCK, cpu_seconds=5, stretch_seconds=seconds) for seconds in ([1, 3, 1], [2, 1, 2])]
    assert ChurnResults(runs).undisturbed_cpu("a", STOCK) == 3
    whole = [ChurnSample("a", STOCK, cpu_seconds=seconds) for seconds in (5, 4)]
    assert ChurnResults(whole).undisturbed_cpu("a", STOCK) == 4


def test_work_in_another_process_is_seen_there() -> None:
    with subprocess.Popen(["sleep", "60"]) as other:
        sample = measured(f"base {other.pid}")
        other.kill()
    assert sample.failure == ""
    assert (sample.faults, sample.cpu_seconds) == (0, 0)
    assert sample.mean_bytes < 8 * MEBIBYTE


@pytest.mark.parametrize("mark", ["other", "base x", "base -1"])
def test_a_wrong_mark_is_a_failure(mark: str) -> None:
    assert measured(mark).failure == f"said {mark!r} where 'base' was due"


# ---- Verdicts ----


def sample(workload: str, peer: str, cpu: float, mib: float, faults: int = 1000) -> ChurnSample:
    """One size for the mean, the peak and the idle figure."""
    size = int(mib * MEBIBYTE)
    return ChurnSample(
        workload, peer, cpu_seconds=cpu, mean_bytes=size, peak_bytes=size, idle_bytes=size, faults=faults, digest="same"
    )


PEERS = (STOCK, LEANEST, "mimalloc", OURS, FROZEN, UNLIMITED)
NAMES = ("json document", "growing list", "json document in a service", "threads", "lua tables", cases.BLOCKS)


def results(ours: Mapping[str, Mapping[str, float]] | None = None) -> ChurnResults:
    """Each at its limit but for what `ours` says of hakmem's figures."""
    figures = {"cpu_seconds": 0.88, "mean_bytes": 125.0, "peak_bytes": 116.0, "idle_bytes": 92.0, "faults": 1100.0}
    found = []
    for name in NAMES:
        for peer in PEERS:
            made = sample(name, peer, 1.0, 100.0)
            if peer == FROZEN:
                made = replace(made, idle_bytes=90 * MEBIBYTE)
            if peer == UNLIMITED:
                made = replace(made, cpu_seconds=0.84)
            if peer == OURS:
                values = (
                    figures | ({"cpu_seconds": 1.3} if name == cases.BLOCKS else {}) | dict((ours or {}).get(name, {}))
                )
                sizes = {key: value * MEBIBYTE for key, value in values.items() if key.endswith("_bytes")}
                made = replace(made, **{**values, **sizes})
            found.append(made)
    return ChurnResults(found)


def verdicts(found: ChurnResults, options: Mapping[str, str] | None = None) -> dict[str, str]:
    return {verdict.target: verdict.verdict for verdict in targets.judge(found, NEVER if options is None else options)}


CPU_MEAN = "processor time: geometric mean at most 0.88 of stock"
CPU_UNLIMITED = "processor time: each at most 1.05 of hakmem unlimited"
CPU_STOCK = "processor time: each at most 1.05 of stock"
LIST = "growing list: page faults at most 1.1 of stock"
MEAN = "mean resident memory: geometric mean at most 1.25 of stock"
PEAK = "peak: never above what was used in the last second (jemalloc decay 0) + 16 MiB"
IDLE = "idle, 0.6 s after the end: at most hakmem frozen + 2 MiB everywhere"
LARGE = "blocks of 5 to 25 MiB: processor time at most 1.3 of the better of stock and mimalloc"
LUA = "Lua with HAKMEM_THP=never: processor time at most 1.05 of hakmem unlimited everywhere"
OF_PROGRAMS = {CPU_MEAN, CPU_UNLIMITED, CPU_STOCK, MEAN, PEAK, IDLE}
OF_SERVICES = {f"services: {target}" for target in OF_PROGRAMS}
ALL = OF_PROGRAMS | OF_SERVICES | {LIST, LARGE, LUA}


def test_all_targets_are_met_at_their_limits() -> None:
    assert verdicts(results()) == dict.fromkeys(ALL, "met")


@pytest.mark.parametrize(
    ("name", "figures", "missed"),
    [
        ("json document", {"cpu_seconds": 0.89}, {CPU_MEAN, CPU_UNLIMITED}),
        ("json document", {"cpu_seconds": 1.06}, {CPU_MEAN, CPU_UNLIMITED, CPU_STOCK}),
        ("json document", {"mean_bytes": 126}, {MEAN}),
        ("json document", {"peak_bytes": 116.1}, {PEAK}),
        ("json document", {"idle_bytes": 92.1}, {IDLE}),
        ("json document", {"faults": 9000}, set()),
        (
            "json document in a service",
            {"cpu_seconds": 9, "mean_bytes": 900, "peak_bytes": 900, "idle_bytes": 900},
            OF_SERVICES,
        ),
        ("growing list", {"faults": 1101}, {LIST}),
        ("threads", {"cpu_seconds": 9, "mean_bytes": 900, "peak_bytes": 900, "idle_bytes": 900, "faults": 9000}, set()),
        (cases.BLOCKS, {"cpu_seconds": 1.31}, {LARGE}),
        ("lua tables", {"cpu_seconds": 0.89}, {LUA}),
    ],
)
def test_each_target_is_missed_beyond_its_limit(name: str, figures: dict[str, float], missed: set[str]) -> None:
    found = verdicts(results({name: figures}))
    assert {target for target, verdict in found.items() if verdict != "met"} == missed


def test_large_blocks_are_compared_with_the_better_one() -> None:
    found = results({cases.BLOCKS: {"cpu_seconds": 1.2}})
    for made in found.samples:
        if (made.workload, made.peer) == (cases.BLOCKS, "mimalloc"):
            made.cpu_seconds = 0.9
    assert verdicts(found)[LARGE] == "missed"


def test_targets_without_their_peer_or_option_are_not_measured() -> None:
    kept = [made for made in results().samples if made.peer not in (LEANEST, FROZEN, UNLIMITED)]
    judged = verdicts(ChurnResults(kept), {})
    not_measured = {target for target, verdict in judged.items() if verdict == "not measured"}
    of_peers = {CPU_UNLIMITED, PEAK, IDLE}
    assert not_measured == of_peers | {f"services: {target}" for target in of_peers} | {LUA}
    only_threads = ChurnResults([made for made in results().samples if made.workload == "threads"])
    assert set(verdicts(only_threads).values()) == {"not measured"}


def test_a_program_that_failed_misses_its_targets() -> None:
    found = results()
    for made in found.samples:
        if (made.workload, made.peer) == ("growing list", OURS):
            made.failure = "exit code -6"
    judged = verdicts(found)
    assert {target for target, verdict in judged.items() if verdict == "missed"} == {*OF_PROGRAMS, LIST}
    assert "exit code -6" in shown(found)


def shown(found: ChurnResults) -> str:
    output = console()
    with output.capture() as captured:
        output.print(report.all_tables(found))
    return captured.get()


def test_the_mean_is_that_of_the_judged_programs() -> None:
    table, _, _ = shown(results({"threads": {"cpu_seconds": 5}})).partition("the fastest run, seconds")
    rows = {line[:24].strip(): line[24:].split() for line in table.splitlines()}
    means = [line.split()[-5:] for line in table.splitlines() if line.startswith("geometric mean of these")]
    assert means == [["1.00", "1.00", "0.88", "1.00", "0.84"]] * 2
    assert rows["threads"] == ["1.00", "1.00", "5.00", "1.00", "0.84"]


# ---- Peers ----


def test_a_bound_whose_option_is_not_there_is_left_out_and_says_so() -> None:
    ours = Peer(OURS, ("-m", "hakmem"), {"HAKMEM_THP": "never"})
    before = {peer.name: peer for peer in contenders.bounded(ours, ["HAKMEM_RETAIN_BURST_BYTES"])}
    assert before[FROZEN].absent == "this hakmem has no option HAKMEM_LEARN"
    assert before[contenders.WINDOW].absent == "this hakmem has no option HAKMEM_LEARN"
    assert (before[OURS].absent, before[UNLIMITED].absent) == ("", "")
    after = {peer.name: peer for peer in contenders.bounded(ours, ["HAKMEM_RETAIN_BURST_BYTES", "HAKMEM_LEARN"])}
    assert (after[FROZEN].absent, after[FROZEN].environment) == ("", {"HAKMEM_THP": "never", "HAKMEM_LEARN": "0"})
    assert after[OURS].environment == {"HAKMEM_THP": "never"}


def test_a_bound_of_a_hakmem_that_is_not_there_is_not_there() -> None:
    found = contenders.bounded(Peer(OURS, absent="the package is not installed"), [])
    assert {peer.absent for peer in found} == {"the package is not installed"}


def test_hakmem_comes_by_its_binding_in_lua_and_by_its_malloc_in_c() -> None:
    stock, lean = Peer(STOCK), Peer(LEANEST, (), {"LD_PRELOAD": "x"}, "libjemalloc")
    frozen = Peer(FROZEN, ("-m", "hakmem", "run"), {}, "_hakmem")
    assert [contenders.in_lua(peer).launcher for peer in (stock, lean, frozen)] == [("stock",), ("stock",), ("plain",)]
    assert [contenders.in_lua(peer).mapped_file for peer in (stock, lean, frozen)] == ["", "libjemalloc", ""]
    assert [contenders.in_c(peer) for peer in (stock, lean)] == [stock, lean]
    assert contenders.in_c(frozen).launcher[:3] == ("-m", "hakmem", "exec")
    assert contenders.in_c(frozen).mapped_file == "libhakmem-malloc.so"


# ---- Programs ----


@pytest.mark.parametrize("name", [*PROGRAMS, *SERVICES, *MORE_PROGRAMS, *changing.CHANGING])
def test_a_program_does_the_same_every_time(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for rested in (changing.BurstsAndRests, RestedByteArrays, RestedDocument):
        monkeypatch.setattr(rested, "rest_seconds", 0)
    known: dict[str, type[Workload]] = {**PROGRAMS, **SERVICES, **MORE_PROGRAMS, **changing.CHANGING}
    digests = []
    for _ in range(2):
        program = known[name](0.001, Path())
        program.prepare()
        program.grow()
        program.drop()
        program.finish()
        assert program.held is None
        digests.append(program.digest())
    assert digests[0] == digests[1]
    assert "0" not in digests[0].split()


def test_the_scale_is_the_number_of_rounds(monkeypatch: pytest.MonkeyPatch) -> None:
    numbers: list[int] = []
    monkeypatch.setattr(JsonDocument, "build", lambda _, number: numbers.append(number) or [number])
    program = JsonDocument(0.1, Path())
    program.prepare()
    program.grow()
    assert numbers == list(range(10))
    assert (program.held, program.digest()) == ([9], "10")


class Item:
    """Something that a weak reference may point to."""


class Items(Rounds):
    rounds = 5

    def build(self, number: int) -> list[Item]:
        self.alive = len(self.made) if number else 0
        found = [Item() for _ in range(100)]
        self.made.update(found)
        return found

    def prepare(self) -> None:
        super().prepare()
        self.made: WeakSet[Item] = WeakSet()


@pytest.mark.parametrize(("name", "kept", "lines"), [("", 0, 0), ("bytearrays", 0, 5), ("instances", 24, 5)])
def test_all_of_a_round_but_what_a_service_keeps_is_dropped_before_the_next(name: str, kept: int, lines: int) -> None:
    program: Any = (as_service(name, Items) if name else Items)(1, Path())
    program.prepare()
    program.grow()
    assert program.alive == len(getattr(program, "results", [])) == kept
    assert len(getattr(program, "log", [])) == lines
    program.drop()
    assert len(program.made) == kept


def test_every_case_is_in_a_group() -> None:
    names = [name for group in cases.GROUPS.values() for name in group]
    assert list(cases.all_cases(1, Path(), None)) == names
    assert all("," not in name for name in names), "they are chosen by a list with commas"


def test_application_answers_with_a_report_or_its_process() -> None:
    started: list[str] = []
    answer = application({"QUERY_STRING": "rows=2"}, lambda status, headers: started.append(status))
    assert b"".join(answer).count(b'"name"') == 2
    assert b"".join(application({"QUERY_STRING": ""}, lambda *_: None)).isdigit()
    assert started == ["200 OK"]


@pytest.mark.skipif(shutil.which("lua5.4") is None, reason="no lua5.4: apt-get install lua5.4")
def test_rounds_in_lua_are_all_in_the_sum() -> None:
    def total(*words: str) -> int:
        arguments = ["lua5.4", str(lua.SCRIPT), "strings", "0.001", "0", "still", *words]
        said = subprocess.run(arguments, input="\n" * 3, capture_output=True, text=True, check=True).stdout
        return int(json.loads(said.splitlines()[-1])["sum"])

    assert total() == total("1") == 0
    assert 0 < total("2") < total("3")


def test_workloads_that_cannot_be_measured_are_left_out_and_told(capsys: pytest.CaptureFixture[str]) -> None:
    absent = {"one": "", "two": "it is not there"}
    assert command.choose_workloads([], absent) == ["one"]
    assert capsys.readouterr().err == "note: workload 'two' is left out: it is not there\n"
    assert command.choose_workloads(["one"], absent) == ["one"]
    with pytest.raises(SystemExit):
        command.choose_workloads(["two"], absent)
    assert "workload 'two' cannot be measured: it is not there" in capsys.readouterr().err
