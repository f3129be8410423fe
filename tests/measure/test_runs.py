"""What lies below the measuring commands: programs that are started, interrupts that are noted."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
import time
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest
from hakmem.measure import compare
from hakmem.measure.allocators import Allocator
from hakmem.measure.child_program import ChildProgram
from hakmem.measure.interrupts import Interrupts
from hakmem.measure.measure_error import MeasureError
from hakmem.measure.output_tail import TAIL_BYTES, OutputTail
from hakmem.measure.programs import Program
from hakmem.measure.runs import Run
from hakmem.measure.sampler import Sample
from measure_support import hakmem_command
from python_support import run


def test_program_finds_signals_as_they_are_by_default() -> None:
    output = OutputTail()
    started = ChildProgram(["grep", "SigIgn", "/proc/self/status"], dict(os.environ), output.write_end)
    started.wait()
    started.close()
    ignored = int(output.close().split()[1], 16)
    assert started.exit_code == 0
    assert not ignored & (1 << signal.SIGPIPE - 1 | 1 << signal.SIGXFSZ - 1)


@pytest.mark.skipif(shutil.which("localedef") is None, reason="no localedef here (Debian: locales)")
def test_words_and_environment_are_those_that_were_given(tmp_path: Path) -> None:
    """Also where Python takes a locale's bytes for UTF-8, which the launcher between, without PYTHONUTF8, does not."""
    made = run(["localedef", "-i", "de_DE", "-f", "ISO-8859-1", str(tmp_path / "de_DE.ISO-8859-1")])
    if made.returncode != 0:
        pytest.skip(made.stderr)
    word = os.fsdecode(b"\xc3\xa9\xff\xe2\x82\xac\x9b")
    (tmp_path / "tell.py").write_text(
        "import os, sys; sys.exit(ascii([os.fsencode(sys.argv[1]), os.environb[b'WORD']]))"
    )
    variables = {"LOCPATH": str(tmp_path), "LC_ALL": "de_DE.ISO-8859-1", "PYTHONUTF8": "1", "WORD": word}
    words = ("compare", "--allocators", "pymalloc", "--runs", "1", "--json", "tell.py", word)
    result = json.loads(hakmem_command(*words, cwd=tmp_path, **variables).stdout)
    assert result["runs"][0]["output_tail"] == ascii([os.fsencode(word)] * 2)


def test_program_that_cannot_be_started(tmp_path: Path) -> None:
    with pytest.raises(MeasureError, match="started: No such file"):
        ChildProgram([str(tmp_path / "absent")], {}, 2)


def test_run_that_cannot_be_measured_costs_none_of_those_before(monkeypatch: pytest.MonkeyPatch) -> None:
    sample = Sample(0.1, 1 << 20, 1 << 20, 0.1, 1)
    runs = iter([Run(["x"], [sample], exit_code=0), MeasureError("no process"), OSError(12, "no memory")])

    def run_sampled(*words: Any, **options: Any) -> Run:
        step = next(runs)
        if isinstance(step, Exception):
            raise step
        return step

    monkeypatch.setattr(compare, "run_sampled", run_sampled)
    row = Allocator("pymalloc")

    def result_of(turns: int) -> Any:
        progress = Mock()
        return compare.compare(
            Program("python", sys.executable, ["x.py"]), [row], turns=turns, interval_seconds=1, timeout_seconds=1,
            progress=progress, interrupts=Interrupts(),
        )  # fmt: skip

    assert [run["failure"] for run in result_of(3)["runs"]] == ["", "no process", "[Errno 12] no memory"]
    runs = iter([OSError(12, "no memory")])
    with pytest.raises(MeasureError, match="no memory"):
        result_of(3)


def test_end_that_nobody_saw() -> None:
    started = ChildProgram(["sleep", "60"], dict(os.environ), 2)
    assert not started.poll()
    os.kill(started.launcher_id, signal.SIGKILL)
    started.wait()
    os.kill(started.process_id, signal.SIGKILL)
    started.close()
    assert (started.has_ended, started.exit_code) == (True, None)


def test_only_the_end_of_an_output_is_kept() -> None:
    output = OutputTail()
    for number in range(100_000):
        os.write(output.write_end, b"%9d\n" % number)
    tail = output.close()
    assert len(tail) <= TAIL_BYTES
    assert tail.endswith("99998\n    99999")


def test_interrupts_are_noted_and_end_a_wait() -> None:
    handlers = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGHUP)]
    begin = time.monotonic()
    with Interrupts() as interrupts:
        for number in (signal.SIGHUP, signal.SIGINT, signal.SIGINT):
            os.kill(os.getpid(), number)
        interrupts.wait(60, lambda: False)
    assert (interrupts.number, time.monotonic() - begin < 10) == (signal.SIGHUP, True)
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGHUP)] == handlers


def test_nohup_is_heeded() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with Interrupts() as interrupts:
            os.kill(os.getpid(), signal.SIGHUP)
        assert not interrupts.have_come
    finally:
        signal.signal(signal.SIGHUP, before)
