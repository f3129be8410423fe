"""`hakmem doctor`: what it sees in real processes, and what it concludes."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from hakmem.cli import main
from hakmem.measure import breakdown, doctor, kernel, pools, reach
from hakmem.measure.breakdown import LABELS, Breakdown
from hakmem.measure.diagnosis import diagnose
from hakmem.measure.measure_error import MeasureError
from measure_support import MEBIBYTE, end, hakmem_command, start, start_python

SCATTERED = """
import gc, time
blocks = [[number] for number in range(600_000)]
kept = blocks[::2000]
del blocks
gc.collect()
print(1, flush=True)
time.sleep(60)
"""

# The main heap and that of a thread, each with free blocks below one that is in use; then what glibc says itself.
GLIBC = """
import ctypes, threading, time
libc = ctypes.CDLL(None)
libc.malloc.restype, libc.malloc.argtypes, libc.free.argtypes = ctypes.c_void_p, [ctypes.c_size_t], [ctypes.c_void_p]
class Figures(ctypes.Structure):
    names = "arena ordblks smblks hblks hblkhd usmblks fsmblks used free keep"
    _fields_ = [(name, ctypes.c_size_t) for name in names.split()]
libc.mallinfo2.restype = Figures
def fill():
    blocks = [libc.malloc(4000) for _ in range(10_000)]
    for block in blocks:
        ctypes.memset(block, 1, 4000)
    for block in blocks[:-1]:
        libc.free(block)
    stay.wait()
stay = threading.Event()
threads = [threading.Thread(target=fill, daemon=True) for _ in range(2)]
for thread in threads:
    thread.start()
stay.wait(1.5)
print(libc.mallinfo2().free, flush=True)
time.sleep(60)
"""


def look(process_id: int, cwd: Path, seconds: str = "0") -> Any:
    result = hakmem_command("doctor", str(process_id), "--json", "--seconds", seconds, cwd=cwd)
    assert result.returncode == 0, result.stderr
    found = json.loads(result.stdout)
    assert sum(found["rows"].values()) == found["rss_bytes"]
    return found


def test_fragmentation_of_pymalloc_from_outside(tmp_path: Path) -> None:
    program = start_python(SCATTERED, cwd=tmp_path)
    found = look(program.pid, tmp_path)
    text = hakmem_command("doctor", str(program.pid), "--seconds", "0.1", cwd=tmp_path).stdout
    end(program)
    assert found["diagnosis"]["kind"] == "fragmentation"
    assert found["rows"]["pymalloc_free"] > 30 * MEBIBYTE > 10 * found["rows"]["pymalloc_live"]
    assert found["language"] == "python"
    assert re.search(r"^Verdict: fragmentation: pymalloc holds \d+\.\d MiB for \d\.\d MiB of live", text, re.MULTILINE)
    assert re.search(r"^pymalloc: free, resident +\d+\.\d +\d+\.\d +[+-]\d+\.\d$", text, re.MULTILINE)
    assert "\x1b" not in text


def test_process_under_hakmem_tells_its_own_part(tmp_path: Path) -> None:
    launcher = ("-m", "hakmem", "run", "--require")
    program = start_python(SCATTERED, cwd=tmp_path, launcher=launcher, HAKMEM_STATS_SOCKET="1")
    found = look(program.pid, tmp_path)
    end(program)
    assert found["rows"]["hakmem_live"] == found["stats"]["live_bytes"]
    assert found["rows"]["hakmem_untold"] == 0
    assert found["rows"]["pymalloc_free"] < 4 * MEBIBYTE


def test_process_under_hakmem_that_tells_nothing(tmp_path: Path) -> None:
    code = "import time; kept = [[n] for n in range(500_000)]; print(1, flush=True); time.sleep(60)"
    program = start_python(code, cwd=tmp_path, launcher=("-m", "hakmem", "run", "--require"))
    found = look(program.pid, tmp_path)
    end(program)
    assert found["rows"]["hakmem_untold"] > 30 * MEBIBYTE
    assert "HAKMEM_STATS_SOCKET=1" in found["diagnosis"]["advice"]
    assert "does not serve its stats" in found["blind_spots"][0]


def test_process_with_malloc_served_is_told_nothing_of_all(tmp_path: Path) -> None:
    program = start_python(GLIBC, cwd=tmp_path, launcher=("-m", "hakmem", "run", "--all", "--require"))
    found = look(program.pid, tmp_path)
    text = hakmem_command("doctor", str(program.pid), "--seconds", "0", cwd=tmp_path).stdout
    end(program)
    assert found["malloc_is_served"]
    assert found["rows"]["glibc_free"] < MEBIBYTE
    assert found["rss_bytes"] < 60 * MEBIBYTE, "what was free went back"
    assert "The C library holds" not in text


def test_free_memory_of_the_c_library(tmp_path: Path) -> None:
    program = start([sys.executable, "-c", GLIBC], cwd=tmp_path)
    assert program.stdout is not None
    free_bytes = int(program.stdout.readline())
    found = look(program.pid, tmp_path)
    text = hakmem_command("doctor", str(program.pid), "--seconds", "0", cwd=tmp_path).stdout
    end(program)
    assert re.search(r"^The C library holds \d+\.\d MiB free; under `hakmem run --all` it would go back", text, re.M)
    assert found["rows"]["glibc_free"] == pytest.approx(free_bytes, rel=0.1)
    assert free_bytes > 70 * MEBIBYTE
    assert found["glibc_returnable_bytes"] > 0.8 * free_bytes
    assert (found["diagnosis"]["kind"], found["blind_spots"]) == ("cache", [])
    assert "malloc_trim" in found["diagnosis"]["advice"]


def test_heap_of_a_forked_process_is_walked_to_its_end(tmp_path: Path) -> None:
    grow = "import os, time; a = [bytes(3000) for _ in range(20_000)]\nif os.fork():\n    time.sleep(60)\n"
    then = "b = [bytes(3000) for _ in range(20_000)]\nprint(1, flush=True)\ntime.sleep(9)"
    program = start_python(grow + then, cwd=tmp_path)
    (child,) = Path(f"/proc/{program.pid}/task/{program.pid}/children").read_text().split()
    found = look(int(child), tmp_path)
    os.kill(int(child), signal.SIGKILL)
    end(program)
    assert found["blind_spots"] == [doctor.SMALL_FREE_BLOCKS]  # and not that the walk broke off
    assert found["rows"]["glibc_used"] > 100 * MEBIBYTE


@pytest.mark.parametrize(
    ("code", "kind", "text"),
    [
        ("block = bytearray(64 << 20)", "outside", "most of it in 'C library: large blocks, in use' (64."),
        ("kept = [[n] for n in range(900_000)]", "live", "of Python's objects are in use"),
        (
            "import mmap; m = mmap.mmap(-1, 64 << 20, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS);"
            "m.write(b'x' * (64 << 20)); m.madvise(mmap.MADV_FREE)",
            "cache",
            "MADV_FREE",
        ),
        ("pass", "small", "nothing to find"),
    ],
)
def test_verdicts_on_real_processes(tmp_path: Path, code: str, kind: str, text: str) -> None:
    program = start_python(f"import time\n{code}\nprint(1, flush=True)\ntime.sleep(60)", cwd=tmp_path)
    found = look(program.pid, tmp_path)
    end(program)
    assert found["diagnosis"]["kind"] == kind, found
    assert text in found["diagnosis"]["verdict"]


def test_growth_is_seen_between_two_looks(tmp_path: Path) -> None:
    code = "import time\nkept = []\nprint(1, flush=True)\nwhile True:\n    kept.append([0] * 999)\n    time.sleep(5e-4)"
    program = start_python(code, cwd=tmp_path)
    found = look(program.pid, tmp_path, seconds="1.5")
    end(program)
    assert found["diagnosis"]["kind"] == "growth", found
    assert re.search(r"growing: by \d+\.\d MiB in 1.5 s", found["diagnosis"]["verdict"])


def test_process_that_is_neither_python_nor_lua(tmp_path: Path) -> None:
    program = start(["sleep", "60"], cwd=tmp_path)
    found = look(program.pid, tmp_path)
    end(program)
    assert (found["language"], found["diagnosis"]["kind"]) == ("", "small")


@pytest.mark.parametrize(
    ("lua", "where"), [("lua5.4", "the C library's malloc"), ("luajit", "as LuaJIT's own allocator does")]
)
def test_objects_of_stock_lua_are_not_called_something_else(tmp_path: Path, lua: str, where: str) -> None:
    if shutil.which(lua) is None:
        pytest.skip(f"no {lua}: apt-get install {lua}")
    code = "kept = {} for i = 1, 900000 do kept[i] = {i} end print(1) io.stdout:flush() while true do end"
    program = start([lua, "-e", code], cwd=tmp_path)
    assert program.stdout is not None
    program.stdout.readline()
    found = look(program.pid, tmp_path)
    end(program)
    assert found["diagnosis"]["kind"] == "live", found
    assert where in found["diagnosis"]["verdict"]
    assert found["diagnosis"]["most_row"] == ("other_anonymous" if lua == "luajit" else "glibc_used")
    assert (doctor.SMALL_FREE_BLOCKS in found["blind_spots"]) == (lua != "luajit")


def test_ctrl_c_is_one_line(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def interrupt(seconds: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(time, "sleep", interrupt)
    assert main(["doctor", str(os.getpid()), "--seconds", "60"]) == 130
    assert capsys.readouterr() == ("", "hakmem: error: interrupted\n")


def test_it_looks_at_itself(tmp_path: Path) -> None:
    result = hakmem_command("doctor", "--seconds", "0", cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    assert "resident (RSS)" in result.stdout


@pytest.mark.parametrize(
    ("user", "owner", "advice"),
    [(0, 0, "SYS_PTRACE"), (1000, 1000, "run this as root"), (1000, 0, "as that user or root")],
)
def test_memory_that_may_not_be_read_is_said(
    monkeypatch: pytest.MonkeyPatch, user: int, owner: int, advice: str
) -> None:
    def refuse(process_id: int) -> None:
        raise MeasureError("no")

    monkeypatch.setattr(breakdown, "RemoteMemory", refuse)
    monkeypatch.setattr(os, "geteuid", lambda: user)
    monkeypatch.setattr(kernel, "user_of", lambda process_id: owner)
    found = breakdown.break_down(os.getpid())
    assert sum(found.rows.values()) == found.rss_bytes
    assert found.rows["pymalloc_live"] == 0
    assert advice in found.blind_spots[0]


@pytest.mark.parametrize(
    ("words", "code", "text"),
    [
        (["4194304"], 1, "there is no process"),
        (["x"], 2, "PID 'x'"),
        ([""], 2, "PID ''"),
        (["1", "--seconds", "-1"], 2, "--seconds '-1'"),
        (["1", "--seconds", "1e300"], 2, "--seconds '1e300'"),
    ],
)
def test_bad_words_are_one_line(tmp_path: Path, words: list[str], code: int, text: str) -> None:
    result = hakmem_command("doctor", *words, cwd=tmp_path)
    assert (result.returncode, result.stdout) == (code, "")
    assert re.fullmatch(r"hakmem: error: [^\n]+\n", result.stderr)
    assert text in result.stderr


def test_allocators_of_libraries_are_named() -> None:
    paths = ["/x/pyarrow/libarrow.so.2000", "/x/_polars_runtime_32/_polars_runtime.abi3.so", "/lib/libm.so.6"]
    found = reach.out_of_reach(paths, "/usr/bin/node")
    assert [sentence.split()[0] for sentence in found] == ["pyarrow", "Polars", "V8"]
    assert reach.out_of_reach(["/usr/lib/libluajit-5.1.so.2"], "/usr/bin/luajit") == [reach.PROGRAMS["luajit"]]
    assert reach.out_of_reach(["/lib/libm.so.6"], "/usr/bin/python3") == []


@pytest.mark.parametrize("language", ["lua", "luajit"])
def test_advice_for_lua_is_not_that_for_python(language: str) -> None:
    cache = diagnose(seen(language=language, glibc_free=300), None, 0).advice
    untold = diagnose(seen(language=language, hakmem_untold=300), None, 0).advice
    assert 'require "hakmem"' in cache
    assert "hakmem.stats() in the script" in untold
    for text in (cache, untold):
        assert "ython" not in text
        assert "STATS_SOCKET" not in text


def seen(stats: dict[str, Any] | None = None, language: str = "python", **mebibytes: int) -> Breakdown:
    rows = dict.fromkeys(LABELS, 0) | {name: size * MEBIBYTE for name, size in mebibytes.items()}
    return Breakdown(1, [], sum(rows.values()), 0, 0, rows, 0, 0, 0, language, True, stats, "", [])


@pytest.mark.parametrize(
    ("now", "kind", "figure"),
    [
        (seen(pymalloc_live=20, pymalloc_free=300), "fragmentation", "holds 320.0 MiB for 20.0 MiB"),
        (seen(glibc_free=200, pymalloc_live=90), "cache", "keeps 200.0 MiB"),
        (seen({"pinned_bytes": 90 * MEBIBYTE}, hakmem_free=100), "fragmentation", "90.0 MiB in hakmem"),
        (seen({"pinned_bytes": 9 * MEBIBYTE}, hakmem_free=100), "cache", "hakmem keeps 91.0 MiB"),
        (seen(hakmem_live=300, other_anonymous=200), "live", "300.0 MiB of Python's"),
        (seen(other_anonymous=300, glibc_used=10, files=100), "outside", "310.0 MiB"),
        (seen(language="lua", other_anonymous=300, glibc_used=90), "outside", "300.0 MiB"),
        (seen(language="luajit", other_anonymous=90, glibc_used=300), "outside", "300.0 MiB"),
        (seen(files=300, pymalloc_live=20), "files", "300.0 MiB"),
        (seen(files=10), "small", "10.0 MiB"),
        (seen(files=10, hakmem_untold=7), "small", "7.0 MiB all the rest"),
        (seen(files=7, hakmem_untold=9), "unclear", "holds 9.0 MiB"),
        (seen(files=7, pymalloc_live=2, pymalloc_free=12), "fragmentation", "12.0 MiB is free"),
    ],
)
def test_verdict_rests_on_the_largest_part(now: Breakdown, kind: str, figure: str) -> None:
    found = diagnose(now, None, 0)
    assert found.kind == kind
    assert figure in found.verdict


def test_part_that_is_larger_than_the_whole_is_explained() -> None:
    now = seen(other_anonymous=64, pymalloc_live=20)
    now.lazily_freed_bytes = 30 * MEBIBYTE
    assert "all: 34.0 MiB, beside 30.0 MiB that was given back lazily, most of it in" in diagnose(now, None, 0).verdict


@pytest.mark.parametrize("row", ["pymalloc_free", "hakmem_free", "glibc_free"])
def test_what_is_locked_is_not_promised_to_go_back(row: str) -> None:
    now = seen({}, **{row: 300, "files": 20})
    unlocked = diagnose(now, None, 0)
    now.locked_bytes = 20 * MEBIBYTE  # a few buffers
    assert diagnose(now, None, 0) == unlocked
    now.locked_bytes = now.rss_bytes
    locked = diagnose(now, None, 0)
    assert locked.kind == unlocked.kind
    assert locked.verdict.startswith(unlocked.verdict)
    assert "locked" in locked.verdict
    assert "munlockall" in locked.advice
    for promise in ("hakmem run", "goes back", "at once", "MALLOC_"):
        assert promise not in locked.advice


def test_a_peak_between_two_looks_is_no_growth() -> None:
    first, second = seen(pymalloc_live=100), seen(pymalloc_live=100, pymalloc_free=50)
    assert diagnose(first, second, 2).kind == "live"


def test_headers_are_told_from_other_memory() -> None:
    good = pools.HEADER.pack(3, 0, 0, 0, 0, 0, 3, 48 + 2 * 64, 16384 - 64)
    assert pools.live_bytes_of(good) == 3 * 64
    assert pools.live_bytes_of(good[:-1]) is None
    assert pools.live_bytes_of(bytes(48)) is None
    assert pools.live_bytes_of(pools.HEADER.pack(9999, 0, 0, 0, 0, 0, 3, 176, 16384 - 64)) is None
