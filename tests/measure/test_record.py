"""`hakmem record`, and the curve that it leaves."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hakmem.measure import curve_file, kernel
from hakmem.measure.measure_error import MeasureError
from hakmem.measure.sampler import Sampler
from measure_support import (
    MEBIBYTE,
    end,
    hakmem_command,
    hakmem_with_closed,
    processes_with,
    start_hakmem,
    start_python,
    wait_until,
)

MARKED = """
import gc, time, hakmem
block = bytearray(64 << 20)
hakmem.mark("full")
time.sleep(0.3)
del block
gc.collect()
hakmem.mark("dropped")
time.sleep(0.3)
raise SystemExit(7)
"""


def lines_of(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_command_with_marks_and_collector_runs(tmp_path: Path) -> None:
    words = ("record", "-o", "curve.jsonl", "--interval", "20", "--", sys.executable, "-c", MARKED)
    result = hakmem_command(*words, cwd=tmp_path)
    assert result.returncode == 7
    assert re.fullmatch(r"hakmem: exit code 7; curve\.jsonl has \d+ samples\n", result.stderr)
    header, *lines = lines_of(tmp_path / "curve.jsonl")
    assert header["hakmem_record"] == curve_file.FORMAT
    assert lines[-1]["end"] == "exit code 7"
    marks = {line["mark"]: line["seconds"] for line in lines if "mark" in line}
    assert list(marks) == ["full", "dropped"]
    assert 0.25 < marks["dropped"] - marks["full"] < 5
    assert any("gc_seconds" in line for line in lines)
    samples = [line for line in lines if "rss_bytes" in line]
    assert max(line["rss_bytes"] for line in samples) > 64 * MEBIBYTE
    assert min(line["rss_bytes"] for line in samples if line["seconds"] > marks["dropped"]) < 64 * MEBIBYTE

    assert hakmem_command("plot", "curve.jsonl", cwd=tmp_path).stdout == "curve.png\n"
    assert (tmp_path / "curve.png").read_bytes().startswith(b"\x89PNG")
    again = hakmem_command("plot", "curve.jsonl", cwd=tmp_path)
    assert (again.returncode, again.stderr) == (
        1, "hakmem: error: curve.png exists already; --force overwrites it\n",
    )  # fmt: skip
    assert hakmem_command("plot", "curve.jsonl", "-o", "c.svg", cwd=tmp_path).returncode == 0
    assert ">full</" in (tmp_path / "c.svg").read_text() or "<!-- full -->" in (tmp_path / "c.svg").read_text()


WITHOUT_ITS_FOLDER = """
import gc, hakmem, os, shutil, time
hakmem.mark("first")
time.sleep(0.3)
shutil.rmtree(os.environ["TMPDIR"])
time.sleep(0.3)
"""


@pytest.mark.parametrize(
    "words", [("record", "--"), ("compare", "--allocators", "hakmem", "--runs", "1", "--json", "--")]
)
def test_program_that_removes_the_temporary_files_is_measured_to_its_end(
    tmp_path: Path, words: tuple[str, ...]
) -> None:
    """Nothing that was measured before is lost, nor what comes after it: compare has no temporary folder any more."""
    (tmp_path / "temporary").mkdir()
    (tmp_path / "program.py").write_text(WITHOUT_ITS_FOLDER)
    program = [sys.executable, "program.py"] if words[0] == "record" else ["program.py"]
    result = hakmem_command(*words, *program, cwd=tmp_path, TMPDIR=str(tmp_path / "temporary"))
    if words[0] == "record":
        lines = lines_of(tmp_path / "hakmem-record.jsonl")
        assert (result.returncode, lines[-1]["end"]) == (0, "exit code 0")
        assert [line["mark"] for line in lines if "mark" in line] == ["first"]
        return
    first, second = json.loads(result.stdout)["runs"]
    assert (first["failure"], [event["mark"] for event in first["events"]]) == ("", ["first"])
    assert second["failure"] == "exit code 1"  # of the program: what it wants to remove is not there
    assert second["samples"]
    assert (
        "\nhakmem: warning: marks are not recorded: no temporary file can be made: No such file" in f"\n{result.stderr}"
    )


def test_running_process_until_ctrl_c(tmp_path: Path) -> None:
    program = start_python("import time; b = bytearray(50 << 20); print(1, flush=True); time.sleep(60)", cwd=tmp_path)
    recorder = start_hakmem("record", str(program.pid), "--interval", "20", cwd=tmp_path)
    path = tmp_path / "hakmem-record.jsonl"
    wait_until(lambda: path.exists() and path.read_text().count("\n") > 5)
    recorder.send_signal(signal.SIGINT)
    _, errors = recorder.communicate(timeout=20)
    assert (recorder.returncode, program.poll()) == (0, None)
    assert errors.startswith("hakmem: stopped; ")
    assert lines_of(path)[1]["rss_bytes"] > 50 * MEBIBYTE
    end(program)


STUBBORN = """
import signal, sys, time
told = []
signal.signal(signal.SIGINT, lambda number, frame: told.append(number))
print(1, flush=True)
while not told:
    time.sleep(0.01)
time.sleep(0.6)
sys.exit(7)
"""


def test_command_that_goes_on_after_ctrl_c_is_recorded_to_its_end(tmp_path: Path) -> None:
    words = ("record", "--interval", "20", "--", sys.executable, "-c", STUBBORN)
    recorder = start_hakmem(*words, cwd=tmp_path)
    assert recorder.stdout is not None
    recorder.stdout.readline()
    (command,) = Path(f"/proc/{recorder.pid}/task/{recorder.pid}/children").read_text().split()
    for process_id in (recorder.pid, int(command)):  # as a terminal does
        os.kill(process_id, signal.SIGINT)
    _, errors = recorder.communicate(timeout=20)
    assert (recorder.returncode, errors.split(";")[0]) == (7, "hakmem: stopped, exit code 7")
    *lines, last = lines_of(tmp_path / "hakmem-record.jsonl")
    assert last["end"] == "stopped, exit code 7"
    assert last["seconds"] - lines[-1]["seconds"] < 0.4


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_command_is_told_to_end_with_its_recorder(tmp_path: Path, number: signal.Signals) -> None:
    recorder = start_hakmem("record", "--", "sh", "-c", "echo; exec sleep 875.5", cwd=tmp_path)
    assert recorder.stdout is not None
    recorder.stdout.readline()
    recorder.send_signal(number)
    _, errors = recorder.communicate(timeout=20)
    assert (recorder.returncode, errors.split(";")[0]) == (143, "hakmem: stopped, killed by SIGTERM")
    assert processes_with("sleep 875.5") == []


def test_process_that_does_not_answer_is_sampled_all_the_same(tmp_path: Path) -> None:
    launcher = ("-m", "hakmem", "run", "--require")
    code = "import time; print(1, flush=True); time.sleep(60)"
    program = start_python(code, cwd=tmp_path, launcher=launcher, HAKMEM_STATS_SOCKET="1")
    program.send_signal(signal.SIGSTOP)
    result = hakmem_command("record", str(program.pid), "--seconds", "0.5", "--interval", "20", cwd=tmp_path)
    end(program)
    assert result.returncode == 0, result.stderr
    seconds = [line["seconds"] for line in lines_of(tmp_path / "hakmem-record.jsonl") if "rss_bytes" in line]
    assert len(seconds) > 5


def test_one_slow_look_does_not_blind_for_long() -> None:
    sampler = Sampler(os.getpid(), 0.02)
    assert sampler.sample() is not None
    sampler._last_cost_seconds = 60.0
    assert sampler.seconds_to_wait() <= 0.5


def test_command_inherits_the_descriptors_that_it_would_without(tmp_path: Path) -> None:
    """A shell's <(command), sockets that systemd opened, the pipe of make's jobserver."""
    words = ("-m", "hakmem", "record", "--", sys.executable, "-c", "import os; print(os.read({}, 9))")
    read_end, write_end = os.pipe()
    os.write(write_end, b"inherited")
    os.set_inheritable(read_end, True)
    words = (*words[:-1], words[-1].format(read_end))
    result = subprocess.run(
        [sys.executable, *words], cwd=tmp_path, pass_fds=[read_end], capture_output=True, text=True, check=True
    )
    assert result.stdout == "b'inherited'\n", result.stderr
    os.close(read_end)
    os.close(write_end)


def test_command_is_ended_after_its_seconds(tmp_path: Path) -> None:
    words = ("record", "--seconds", "0.5", "--", "sh", "-c", "sleep 876.5 & wait")
    result = hakmem_command(*words, cwd=tmp_path)
    assert (result.returncode, result.stderr.split(";")[0]) == (0, "hakmem: 0.5 s are over")
    assert processes_with("sleep 876.5") == []


def test_recording_without_room_ends_with_whole_lines(tmp_path: Path) -> None:
    words = ("record", "--interval", "1", "--", "sleep", "1")
    result = hakmem_command(*words, cwd=tmp_path, file_bytes_max=2000)
    assert (result.returncode, result.stderr.count("\n")) == (1, 1)
    assert "hakmem-record.jsonl cannot be written" in result.stderr
    assert len(lines_of(tmp_path / "hakmem-record.jsonl")) > 3
    assert hakmem_command("plot", "hakmem-record.jsonl", cwd=tmp_path).returncode == 0


def test_half_a_line_at_the_end_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "cut.jsonl"
    sample = {"seconds": 0.1, "rss_bytes": 9, "pss_bytes": 8, "cpu_seconds": 0.1, "processes": 1}
    path.write_text(f'{{"hakmem_record": 1}}\n{json.dumps(sample)}\n{{"seconds": 0.2, "rs')
    (curve,) = curve_file.read(str(path))
    assert [row.rss_bytes for row in curve.samples] == [9]


@pytest.mark.parametrize(
    ("words", "code", "text"),
    [
        ([], 2, "either a PID or -- and a command"),
        (["1", "--", "true"], 2, "either a PID or -- and a command"),
        (["pid"], 2, "PID 'pid' is not a whole number"),
        (["--interval", "0", "1"], 2, "--interval '0'"),
        (["--interval", "1e300", "1"], 2, "--interval '1e300'"),
        (["4194304"], 1, "there is no process 4194304"),
        (["--", "absent-command"], 1, "there is no command 'absent-command' on PATH"),
        (["-o", "/dev/full", "--force", "--", "true"], 1, "/dev/full cannot be written: No space left on device"),
        (["-o", "absent/x", "--", "true"], 1, "absent/x cannot be written: No such file"),
    ],
)
def test_bad_words_are_one_line(tmp_path: Path, words: list[str], code: int, text: str) -> None:
    result = hakmem_command("record", *words, cwd=tmp_path)
    assert (result.returncode, result.stdout) == (code, "")
    assert re.fullmatch(r"hakmem: error: [^\n]+\n", result.stderr), result.stderr
    assert text in result.stderr


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_process_of_somebody_else(tmp_path: Path) -> None:
    kernel.owner_name(os.getpid())  # imports what it needs while it can be read
    read_end, write_end = os.pipe()
    other = os.fork()
    if other == 0:
        text = b"it could be read"
        try:
            os.setuid(65534)
            kernel.check_readable(os.getppid())
        except MeasureError as error:
            text = str(error).encode()
        os.write(write_end, text)
        os._exit(0)
    os.waitpid(other, 0)
    assert os.read(read_end, 1000).decode() == (
        f"/proc/{os.getpid()}/smaps_rollup may not be read: process {os.getpid()} is root's;"
        " run this as that user or root"
    )


def test_kernel_thread_has_no_memory() -> None:
    if not os.path.exists("/proc/2/stat") or kernel.command_line(2):
        pytest.skip("there is no kernel thread in sight")
    with pytest.raises(MeasureError, match="has no memory of its own"):
        kernel.check_readable(2)


def test_smaps_are_read() -> None:
    text = (
        "7f0000000000-7f0000200000 rw-p 00000000 00:00 0 \nSize:  2048 kB\nRss:  100 kB\nVmFlags: rd wr nh \n"
        "7f0000200000-7f0000201000 r--p 00001000 fe:00 99   /usr/lib/a b.so\nRss:  4 kB\nTHPeligible:  0\n"
    )
    assert len(kernel.merge_neighbours(list(kernel.parse_smaps(text)))) == 2
    first, second = kernel.parse_smaps(text)
    assert (first.is_anonymous, first.sizes["Rss"], "nh" in first.flags) == (True, 102400, True)
    assert (second.path, second.is_anonymous, second.end - second.start) == ("/usr/lib/a b.so", False, 4096)


@pytest.mark.parametrize("streams", [">&-", "2>&-", ">&- 2>&-", "<&- >&- 2>&-"])
def test_closed_streams_do_not_change_the_exit_code(tmp_path: Path, streams: str) -> None:
    code = "import sys; sys.exit(5 if sys.stdout is None else 7)"
    words = ("record", "-o", "curve.jsonl", "--", sys.executable, "-c", code)
    result = hakmem_with_closed(streams, *words, cwd=tmp_path)
    assert (result.returncode, result.stdout) == (5 if " >&-" in f" {streams}" else 7, "")
    assert lines_of(tmp_path / "curve.jsonl")[-1]["end"] == f"exit code {result.returncode}"
    result = hakmem_with_closed(streams, "plot", "curve.jsonl", cwd=tmp_path)
    assert (result.returncode, result.stderr) == (0, "")
