"""Programs that serve their stats, and `hakmem stats` asked about them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from measure_support import hakmem_command, socket_names
from python_support import SECONDS_MAX, clean_environment, run

ENABLE = "import hakmem, os, sys, time; hakmem.enable()\n"
READY_AND_WAIT = "\nos.write(1, b'ready\\n'); time.sleep(60)"
# Ends when its standard input does, so that its exit code and what it says at the end are seen.
READY_AND_END = "\nos.write(1, b'ready\\n'); os.read(0, 1)"

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
NOBODY = 65534
# The same programs without hakmem: what they do there, they do with it.
also_on_stock = pytest.mark.parametrize("variables", [{}, {"HAKMEM": "0"}], ids=["hakmem", "stock"])


def start_served(code: str, *, cwd: Path, **variables: str) -> subprocess.Popen[str]:
    """Start a program that serves its stats, and wait until it is ready; its standard input is open."""
    process = subprocess.Popen(
        [sys.executable, "-W", "always::DeprecationWarning", "-c", code],
        cwd=cwd,
        env=clean_environment(HAKMEM_STATS_SOCKET="1", **variables),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n", process.communicate()[1]
    return process


def told_by(process_id: int, cwd: Path) -> Any:
    result = hakmem_command("stats", str(process_id), "--json", cwd=cwd)
    assert result.returncode == 0, result.stderr
    told = json.loads(result.stdout)
    assert told["pid"] == process_id
    return told


def is_told_but_on_stock(process_id: int, cwd: Path, variables: dict[str, str]) -> None:
    """Ask a program of `also_on_stock` for its stats; on stock there is nobody to ask."""
    if variables:
        assert socket_names(process_id) == []
    else:
        told_by(process_id, cwd)


def ends_quietly(process: subprocess.Popen[str]) -> None:
    """It ends when it is told to, at once, and has nothing to say."""
    begin = time.monotonic()
    output, errors = process.communicate("x", timeout=SECONDS_MAX)
    assert (process.returncode, output, errors) == (0, "", "")
    assert time.monotonic() - begin < 5
    assert socket_names(process.pid) == []


def children_of(process_id: int) -> list[int]:
    words = Path(f"/proc/{process_id}/task/{process_id}/children").read_text().split()
    return [int(word) for word in words]


def asked_as(user_id: int, process_id: int, cwd: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """`hakmem stats` of another user, who may not be able to read where this Python lies: root asks first."""
    code = f"""
import contextlib, io, os, sys, hakmem.cli
words = ["stats", "{process_id}", *{list(words)}]
with contextlib.redirect_stdout(io.StringIO()):
    assert hakmem.cli.main(words) == 0
os.setgid({user_id})
os.setuid({user_id})
sys.exit(hakmem.cli.main(words))
"""
    return run([sys.executable, "-c", code], environment=clean_environment(), cwd=cwd)
