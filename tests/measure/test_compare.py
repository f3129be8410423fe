"""`hakmem compare`, from the words of the command line to the three files."""

from __future__ import annotations

import re
import shlex
import shutil
import signal
import textwrap
import time
from pathlib import Path

import pytest
from measure_support import (
    MEBIBYTE,
    SCATTERED,
    hakmem_command,
    hakmem_with_closed,
    processes_with,
    result_in,
    script,
    start_hakmem,
    wait_until,
)
from python_support import HAKMEM, run

TWO = ("compare", "--allocators", "hakmem", "--runs", "1", "--out", "out")


def test_report_of_a_program_that_hakmem_helps(tmp_path: Path) -> None:
    name = script(tmp_path, SCATTERED)
    result = hakmem_command(*TWO, "--", name, cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    assert "\x1b" not in result.stdout
    assert re.search(r"^hakmem helps: .*idle \d+\.\d MiB instead of \d+\.\d", result.stdout, re.MULTILINE)
    assert result.stderr.splitlines()[0].startswith("run 1 of 1 under pymalloc: peak ")
    told = result_in(tmp_path / "out")
    medians = {name: row["medians"] for name, row in told["summary"].items()}
    assert medians["hakmem"]["idle_bytes"] < 0.7 * medians["pymalloc"]["idle_bytes"]
    assert 40 * MEBIBYTE < medians["pymalloc"]["peak_bytes"] < 120 * MEBIBYTE
    assert medians["pymalloc"]["wall_seconds"] > 1.5
    assert (tmp_path / "out" / "rss.png").read_bytes().startswith(b"\x89PNG")
    page = (tmp_path / "out" / "report.html").read_text()
    assert "<svg" in page
    assert "hakmem helps" in page
    assert "td { white-space: nowrap; }" in page  # "1.02 ±0 %" is one figure
    assert not re.search(r'(src|href)="(?!#)|<script|@import|url\((?!#)', page)  # nothing is loaded


def test_malloc_served_too_is_a_row_of_its_own(tmp_path: Path) -> None:
    code = """
        import ctypes, time
        libc = ctypes.CDLL(None)
        libc.malloc.restype, libc.free.argtypes = ctypes.c_void_p, [ctypes.c_void_p]
        blocks = [libc.malloc(5000) for _ in range(20_000)]
        for block in blocks: ctypes.memset(block, 1, 5000)
        time.sleep(0.3)
        for block in blocks[:-1]: libc.free(block)
        time.sleep(1.5)
    """
    name = script(tmp_path, textwrap.dedent(code))
    words = ("compare", "--allocators", "hakmem,hakmem-all", "--runs", "1", "--out", "out", "--", name)
    result = hakmem_command(*words, cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    assert re.search(r"hakmem run --all helps: .*idle \d+\.\d MiB instead of \d+\.\d", result.stdout)
    idle = {name: row["medians"]["idle_bytes"] for name, row in result_in(tmp_path / "out")["summary"].items()}
    assert idle["hakmem, all"] < 40 * MEBIBYTE
    assert idle["hakmem"] > 90 * MEBIBYTE


def test_peak_while_it_runs_is_that_of_the_table(tmp_path: Path) -> None:
    """Also where it lies between two looks: the kernel keeps it."""
    short_peak = "import time\ntime.sleep(0.5)\nblock = bytearray(64 << 20)\ndel block\ntime.sleep(0.5)\n"
    result = hakmem_command(*TWO, "--interval", "400", script(tmp_path, short_peak), cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    peak_bytes = result_in(tmp_path / "out")["summary"]["pymalloc"]["medians"]["peak_bytes"]
    assert peak_bytes > 64 * MEBIBYTE
    assert f"run 1 of 1 under pymalloc: peak {peak_bytes / MEBIBYTE:.1f} MiB, " in result.stderr


def test_peak_after_the_last_look_is_known_to_the_kernel(tmp_path: Path) -> None:
    """And too few looks are no ground for a verdict."""
    words = ("-c", "import time; time.sleep(0.2); block = bytearray(40 << 20); block = None")
    result = hakmem_command(*TWO, "--interval", "5000", *words, cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    told = result_in(tmp_path / "out")
    assert all(40 * MEBIBYTE < run["figures"]["peak_bytes"] < 60 * MEBIBYTE for run in told["runs"])
    assert told["verdict"]["helps"] is None
    assert "too short to judge" in result.stdout


DAEMON = """
import os, subprocess, sys, time
subprocess.run([sys.executable, "-c", "import subprocess; subprocess.Popen(['sleep', '986.5'])"])
time.sleep(0.5)
"""


def test_what_a_child_leaves_behind_is_measured_and_ended(tmp_path: Path) -> None:
    result = hakmem_command(*TWO, script(tmp_path, DAEMON), cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    last_looks = [run["samples"][-4] for run in result_in(tmp_path / "out")["runs"]]
    assert [processes for *_, processes in last_looks] == [2, 2]
    assert processes_with("sleep 986.5") == []


def test_program_in_lua_without_the_module_is_an_error(tmp_path: Path) -> None:
    lua = shutil.which("lua5.4")
    if lua is None:
        pytest.skip("no lua5.4: apt-get install lua5.4")
    (tmp_path / "program.lua").write_text("for step = 1, 3e7 do end")
    result = hakmem_command(
        "compare", "--runs", "1", "--lua", lua, "program.lua", cwd=tmp_path, LUA_CPATH=str(tmp_path / "?.so")
    )
    assert "whether hakmem helps cannot be said: hakmem was not among the allocators" in result.stdout
    assert result.stderr.splitlines()[-1].startswith("hakmem: error: hakmem could not be measured: the module hakmem")
    assert result.returncode == 1


def test_says_plainly_when_hakmem_does_not_help(tmp_path: Path) -> None:
    name = script(tmp_path, "import time\nblock = bytearray(64 << 20)\ntime.sleep(2)\n")
    result = hakmem_command(*TWO, name, cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    assert "hakmem does not help this program. No difference beyond 20 % (one run has no spread)" in result.stdout
    assert "ends at its peak under pymalloc" in result.stdout
    assert result_in(tmp_path / "out")["verdict"]["helps"] is False


def test_failure_under_one_allocator_is_never_averaged(tmp_path: Path) -> None:
    text = "import hakmem, time\ntime.sleep(0.3)\nif hakmem.is_enabled():\n    raise SystemExit('it is not for me')\n"
    result = hakmem_command(*TWO, "--json", script(tmp_path, text), cwd=tmp_path)
    assert result.returncode == 1
    assert "hakmem: error: the program failed under hakmem; the last lines of its output" in result.stderr
    told = result_in(tmp_path / "out")
    assert told["summary"]["hakmem"]["failures"] == ["exit code 1"]
    assert set(told["summary"]["hakmem"]["medians"].values()) == {None}
    assert told["summary"]["pymalloc"]["runs_counted"] == 1
    assert told["verdict"]["helps"] is None
    assert told["runs"][1]["output_tail"] == "it is not for me"


def test_output_is_not_kept_on_disk(tmp_path: Path) -> None:
    text = """
    import os, sys, tempfile
    for step in range(500):
        os.write(1, bytes(1 << 20))
    folder = os.environ["TMPDIR"]
    sys.exit(f"{sum(entry.stat().st_size for part in os.scandir(folder) for entry in os.scandir(part))} bytes")
    """
    name = script(tmp_path, textwrap.dedent(text))
    (tmp_path / "temporary").mkdir()
    words = ("compare", "--allocators", "pymalloc", "--runs", "1", "--out", "out", name)
    hakmem_command(*words, cwd=tmp_path, TMPDIR=str(tmp_path / "temporary"))
    (run,) = result_in(tmp_path / "out")["runs"]
    assert run["output_tail"].endswith("\x000 bytes")


def test_program_that_never_ends(tmp_path: Path) -> None:
    name = script(tmp_path, "import subprocess, sys, time\nsubprocess.Popen(['sleep', '987.5'])\ntime.sleep(987)\n")
    result = hakmem_command("compare", "--allocators=hakmem", "--runs=1", "--timeout=0.8", name, cwd=tmp_path)
    assert result.returncode == 1
    assert result.stdout.count("it did not end within 0.8 s (--timeout) and was killed") == 3  # two rows, the verdict
    assert result.stderr.endswith("error: the program failed under pymalloc, hakmem; it printed nothing\n")
    assert processes_with("987.5") == []


def test_ctrl_c_leaves_a_valid_report(tmp_path: Path) -> None:
    name = script(tmp_path, "import hakmem, time\ntime.sleep(60 if hakmem.is_enabled() else 0.5)\n", "never_987.py")
    process = start_hakmem(*TWO, name, cwd=tmp_path)
    wait_until(lambda: any("hakmem run" in " ".join(words) for words in running("never_987.py")))
    process.send_signal(signal.SIGINT)
    output, errors = process.communicate(timeout=30)
    assert process.returncode == 1
    assert errors.endswith("hakmem: error: interrupted; out has what was measured so far\n")
    assert "interrupted: 1 of 2 runs were finished" in output
    told = result_in(tmp_path / "out")
    assert told["was_interrupted"] is True
    assert [run["failure"] for run in told["runs"]] == ["", "interrupted"]
    assert told["verdict"]["helps"] is None
    assert (tmp_path / "out" / "rss.png").stat().st_size > 1000
    assert running("never_987.py") == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT])
def test_signals_in_a_row_leave_a_report_and_no_process(tmp_path: Path, number: signal.Signals) -> None:
    """The program holds much, so that the kernel takes a moment to end it; the report takes one to be written."""
    text = "import subprocess, time\nsubprocess.Popen(['sleep', '985.5'])\nblock = b'x' * (99 << 20)\ntime.sleep(985)\n"
    name = script(tmp_path, text, "never_985.py")
    process = start_hakmem(*TWO, name, cwd=tmp_path, TMPDIR=str(tmp_path))
    wait_until(lambda: processes_with("sleep 985.5"))
    for _ in range(40):
        if not (tmp_path / "out" / "report.html").exists():  # the last file but one: after it they would be obeyed
            process.send_signal(number)
            time.sleep(0.01)
    _, errors = process.communicate(timeout=30)
    assert (process.returncode, errors.splitlines()[-1]) == (
        1, "hakmem: error: interrupted; out has what was measured so far",
    )  # fmt: skip
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["report.html", "result.json", "rss.png"]
    assert (processes_with("sleep 985.5"), running("never_985.py")) == ([], [])
    assert list(tmp_path.glob("hakmem-*")) == []


def running(word: str) -> list[list[str]]:
    import psutil

    found = []
    for process_id in processes_with(word):
        try:
            found.append(psutil.Process(process_id).cmdline())
        except psutil.Error:
            continue
    return [words for words in found if "compare" not in words]


def test_existing_report_is_kept(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "rss.png").write_text("mine")
    name = script(tmp_path, "pass")
    result = hakmem_command(*TWO, name, cwd=tmp_path)
    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr == "hakmem: error: out/rss.png exists already; --force overwrites it\n"
    assert (tmp_path / "out" / "rss.png").read_text() == "mine"


def test_full_disk_costs_the_report_not_the_figures(tmp_path: Path) -> None:
    name = script(tmp_path, "import time\ntime.sleep(0.5)")
    result = hakmem_command(*TWO, name, cwd=tmp_path, file_bytes_max=4096)
    assert result.returncode == 1
    assert "ratio to pymalloc" in result.stdout
    assert re.search(r"\nhakmem: error: out/result.json cannot be written: [^\n]+\n$", result.stderr)
    assert list((tmp_path / "out").iterdir()) == []


@pytest.mark.parametrize("reader", ["head -c 1", "true"])
def test_output_that_nobody_reads_costs_no_file(tmp_path: Path, reader: str) -> None:
    words = shlex.join([*HAKMEM, *TWO, "--allocators", "pymalloc", "-c", "import time; time.sleep(0.3)"])
    result = run(["sh", "-c", f"cd {shlex.quote(str(tmp_path))} && {words} | {reader}"])
    assert "Traceback" not in result.stderr
    assert len(list((tmp_path / "out").iterdir())) == 3


def test_full_output_costs_no_file(tmp_path: Path) -> None:
    words = shlex.join([*HAKMEM, *TWO, "--allocators", "pymalloc", "-c", "import time; time.sleep(0.3)"])
    result = run(["sh", "-c", f"cd {shlex.quote(str(tmp_path))} && {words} > /dev/full"])
    assert result.returncode == 1
    assert result.stderr.splitlines()[-1] == "hakmem: error: the output cannot be written: No space left on device"
    assert len(list((tmp_path / "out").iterdir())) == 3


def test_dollars_are_dollars(tmp_path: Path) -> None:
    code = "import time, hakmem; hakmem.mark('$x^$ $'); time.sleep(0.3)"
    words = ("compare", "--allocators", "pymalloc", "--runs", "1", "--out", "out", "-c", code, "$a_{$")
    result = hakmem_command(*words, cwd=tmp_path)
    assert (result.returncode, "Traceback" in result.stderr) == (0, False)
    assert len(list((tmp_path / "out").iterdir())) == 3


@pytest.mark.parametrize(
    ("words", "code", "text"),
    [
        ([], 2, "a program is missing"),
        (["--runs", "0", "x.py"], 2, "--runs '0' is not a whole number above 0"),
        (["--timeout", "soon", "x.py"], 2, "--timeout 'soon'"),
        (["--interval", "1e300", "x.py"], 2, "--interval '1e300' is not a number above 0 up to 3600000"),
        (["--nonsense", "x.py"], 2, "unknown option '--nonsense'"),
        (["-m"], 2, "-m needs a module"),
        (["absent.py"], 1, "there is no file absent.py"),
        (["sleep", "1"], 1, "'hakmem record -- sleep' records any program"),
        (["--allocators", "tcmalloc", "here.py"], 2, "there is no allocator 'tcmalloc'; give some of pymalloc,hakmem,"),
        (["--out", "/proc/none", "here.py"], 1, "the directory /proc/none cannot be made"),
    ],
)
def test_bad_words_are_one_line(tmp_path: Path, words: list[str], code: int, text: str) -> None:
    script(tmp_path, "pass", "here.py")
    result = hakmem_command("compare", *words, cwd=tmp_path)
    assert (result.returncode, result.stdout) == (code, "")
    assert re.fullmatch(r"hakmem: error: [^\n]+\n", result.stderr)
    assert text in result.stderr


def test_missing_library_is_named_with_the_line_that_installs_it(tmp_path: Path) -> None:
    hide = "import sys\nsys.modules['matplotlib'] = None\n"
    (tmp_path / "usercustomize.py").write_text(hide)
    (tmp_path / "sitecustomize.py").write_text(hide)
    script(tmp_path, "pass", "here.py")
    result = hakmem_command("compare", "here.py", cwd=tmp_path, PYTHONPATH=str(tmp_path))
    assert result.returncode == 1
    assert result.stderr == (
        "hakmem: error: matplotlib is not installed; install it with: pip install 'hakmem[measure]'\n"
    )


def test_children_that_hakmem_does_not_reach_are_named(tmp_path: Path) -> None:
    text = (
        "import subprocess, sys\n"
        "subprocess.run([sys.executable, '-c', 'import time; b = bytearray(30 << 20); time.sleep(1.2)'])\n"
    )
    result = hakmem_command(*TWO, script(tmp_path, text), cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    assert "MiB of PSS" in result.stdout
    assert "It did not reach the program's own children" in result.stdout
    assert "hakmem install-startup" in result.stdout


def test_closed_streams_cost_nothing_of_what_was_measured(tmp_path: Path) -> None:
    result = hakmem_with_closed(">&- 2>&-", *TWO, "-c", "import time; time.sleep(0.2)", cwd=tmp_path)
    assert result.returncode == 0
    assert result_in(tmp_path / "out")["summary"]["hakmem"]["runs_counted"] == 1
    assert (tmp_path / "out" / "report.html").exists()
