"""`hakmem doctor` on a process that has locked its memory: it promises nothing that the kernel refuses."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from measure_support import MEBIBYTE, hakmem_command
from stats_support import ENABLE, ends_quietly, start_served

LOCKED = (
    ENABLE
    + """
import ctypes, gc
libc = ctypes.CDLL(None)
refused = libc.mlockall(3)
blocks = [[number] for number in range(600_000)]
kept = blocks[::2000]
del blocks
gc.collect()
given_back = hakmem.trim()
os.write(1, b"ready\\n")
os.write(1, b"%d %d\\n" % (refused, given_back))
os.read(0, 1)
before = hakmem.stats()["purged_bytes_total"]
libc.munlockall()
hakmem.trim()
os.write(1, b"%d\\n" % (hakmem.stats()["purged_bytes_total"] - before))  # some of it by the helper, maybe
os.read(0, 1)
"""
)


def look(process_id: int, cwd: Path) -> Any:
    result = hakmem_command("doctor", str(process_id), "--json", "--seconds", "0", cwd=cwd)
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout)


def test_a_process_that_locks_its_memory(tmp_path: Path) -> None:
    """As docs/python.md says: trim() gives nothing back meanwhile, but after munlockall()."""
    program = start_served(LOCKED, cwd=tmp_path)
    assert program.stdin is not None
    assert program.stdout is not None
    refused, given_back = program.stdout.readline().split()
    if refused != "0":
        program.communicate("xx")
        pytest.skip("mlockall is not allowed here")
    assert given_back == "0"
    locked = look(program.pid, tmp_path)
    assert locked["rows"]["hakmem_free"] > 30 * MEBIBYTE
    assert locked["locked_bytes"] > locked["rows"]["hakmem_free"]
    assert locked["glibc_returnable_bytes"] == 0
    assert "It is locked" in locked["diagnosis"]["verdict"]
    assert "munlockall" in locked["diagnosis"]["advice"]
    assert "trim()" not in locked["diagnosis"]["advice"]
    program.stdin.write("x")
    program.stdin.flush()
    assert int(program.stdout.readline()) > 30 * MEBIBYTE
    unlocked = look(program.pid, tmp_path)
    assert unlocked["rows"]["hakmem_free"] < locked["rows"]["hakmem_free"] / 3
    assert unlocked["locked_bytes"] == 0
    ends_quietly(program)
