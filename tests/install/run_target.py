"""Runs one row of documented.py, within its time, and says how that ended."""

from __future__ import annotations

import os
import re
import signal
import subprocess
from dataclasses import dataclass
from pathlib import Path

from documented import Row

MISSING = re.compile(r"error: missing on this machine:\n(.*?)Install with:", re.DOTALL)


@dataclass(frozen=True)
class Result:
    """`outcome`: ok, failed, or why it cannot run on this machine."""

    outcome: str
    output: str


def run_target(row: Row, repository: Path, python: str, suite: str = "") -> Result:
    """Run it as a shell would, with this interpreter; whatever it started ends with it."""
    of_make = ("MAKE", "MFLAGS", "SECONDS")
    variables = {name: value for name, value in os.environ.items() if not name.startswith(of_make)}
    process = subprocess.Popen(
        ["bash", "-c", row.run.format(suite=suite)],
        cwd=repository,
        env=variables | {"PYTHON": python},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        start_new_session=True,
    )
    try:
        output, _ = process.communicate(timeout=row.seconds)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        output, _ = process.communicate()
        return Result("failed", f"{output}\nerror: it did not end within {row.seconds} s\n")
    if process.returncode == 0 and re.search(row.says, output, re.DOTALL):
        return Result("ok", output)
    missing = MISSING.search(output)
    if missing and process.returncode != 0:
        return Result(f"cannot run here: missing: {' '.join(missing[1].split())}", output)
    return Result("failed", f"{output}\nerror: exit code {process.returncode}, wanted 0 and text with {row.says!r}\n")
