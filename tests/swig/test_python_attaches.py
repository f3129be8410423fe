"""Python's objects live in the core that was in the process first: through its table, not in hakmem's own."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from pathlib import Path

FIRST = """
import sys
sys.path.insert(0, sys.argv[1] + "/helper_python")
import _helper as helper
assert helper.own_core_serves() == 1  # a module with a core of its own inside

import gc, json, threading
import hakmem
from hakmem import control
"""


def run(build: Path, program: str) -> str:
    command = [sys.executable, "-c", FIRST + textwrap.dedent(program), str(build)]
    result = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert result.returncode == 0, result.stderr
    assert result.stderr == ""
    return result.stdout


def test_objects_are_served_by_the_first_core(build: Path) -> None:
    output = run(
        build,
        """
        hakmem.enable()
        before = hakmem.stats()
        kept = [(index, str(index) * 20) for index in range(20000)]
        after = hakmem.stats()
        assert after["live_blocks"] - before["live_blocks"] > 40000, (before, after)
        heap = control.heap_new(0, 1 << 20)
        helper.make_blocks(heap, 100, 1000)             # the helper calls its own core, which is ours, too
        assert control.heap_stats(heap)["used_blocks"] == 100
        assert helper.own_core_serves() == 1
        helper.free_blocks()
        control.heap_destroy(heap)
        del kept
        gc.collect()
        assert hakmem.stats()["live_blocks"] < before["live_blocks"] + 2000
        assert hakmem._hakmem.check() == 0
        print(hakmem.is_enabled())
        """,
    )
    assert output == "True\n"


def test_blocks_grow_move_and_die_there(build: Path) -> None:
    run(
        build,
        """
        early = bytearray(b"early" * 100)      # pymalloc's
        hakmem.enable()
        late = bytearray(b"late" * 100)        # the first core's
        for _ in range(12):
            early += bytes(early)
            late += bytes(late)
        hakmem.disable()
        late += bytes(late)                           # may move to pymalloc
        new = [object() for _ in range(1000)]  # pymalloc's
        hakmem.enable()
        hakmem.set_option("counters", 1)
        served_bytes = hakmem.stats()["served_bytes"]
        counted = [str(index) for index in range(10000)]
        assert hakmem.stats()["served_bytes"] > served_bytes + 10000
        hakmem.set_option("counters", 0)
        assert bytes(early[:10]) == b"earlyearly" and bytes(late[-8:]) == b"latelate"
        del early, late, new, counted
        assert hakmem._hakmem.check() == 0
        """,
    )


def test_threads_allocate_there(build: Path) -> None:
    run(
        build,
        """
        hakmem.enable()
        blocks = []
        def work():
            for round in range(20):
                mine = [str(number) * 3 for number in range(2000)]
                blocks.append(mine)
                if len(blocks) > 4:
                    blocks.pop(0)
        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads: thread.start()
        for thread in threads: thread.join()
        blocks.clear()
        assert hakmem._hakmem.check() == 0
        hakmem.trim()
        """,
    )


def test_another_version_is_refused_in_one_line(build: Path) -> None:
    program = """
        import ctypes, sys
        ctypes.CDLL(sys.argv[1] + "/stranger.so")
        import hakmem
        for action in (hakmem.enable, hakmem.stats, hakmem.trim, lambda: hakmem.set_option("counters", 1)):
            try:
                action()
            except RuntimeError as error:
                print(type(error).__name__, error)
        print("still", hakmem.is_enabled(), hakmem.__version__)
        """
    command = [sys.executable, "-c", textwrap.dedent(program), str(build)]
    result = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert (result.returncode, result.stderr) == (0, "")
    lines = result.stdout.splitlines()
    texts = {line.split(" ", 1)[1] for line in lines[:4]}
    assert [line.split()[0] for line in lines[:4]] == ["UnsupportedError", *["RuntimeError"] * 3]
    assert len(texts) == 1
    (text,) = texts
    assert text.startswith("another hakmem serves this process, with interface ")
    assert text.endswith("/stranger.so; use the same release of hakmem in both")
    assert lines[4].startswith("still False ")
