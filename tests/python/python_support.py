"""Helpers of the Python tests: run a program in an interpreter of its own and look at what it said."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

HAKMEM = [sys.executable, "-m", "hakmem"]
SECONDS_MAX = 120


def clean_environment(**variables: str) -> dict[str, str]:
    """This environment without what steers hakmem or Python, and with `variables`."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("HAKMEM", "PYTHON"))}
    # Without it a write to a closed terminal or another locale could change what programs print.
    return {**kept, "PYTHONIOENCODING": "utf-8", "PYTHONDONTWRITEBYTECODE": "1", **variables}


def run(
    command: list[str],
    *,
    environment: dict[str, str] | None = None,
    cwd: Path | None = None,
    stdin: str = "",
) -> subprocess.CompletedProcess[str]:
    """Run a command to its end; a hang fails the test."""
    return subprocess.run(
        command,
        env=clean_environment() if environment is None else environment,
        cwd=cwd,
        input=stdin,
        capture_output=True,
        text=True,
        timeout=SECONDS_MAX,
    )


def run_code(
    code: str, *arguments: str, flags: tuple[str, ...] = (), environment: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run indented source text in a fresh interpreter."""
    command = [sys.executable, *flags, "-c", textwrap.dedent(code), *arguments]
    return run(command, environment=environment)


def output_of(result: subprocess.CompletedProcess[str]) -> str:
    """What it printed; fails unless it ended well and said nothing on stderr."""
    assert result.returncode == 0, f"exit code {result.returncode}\n{result.stdout}{result.stderr}"
    assert result.stderr == ""
    return result.stdout


def json_of(code: str, *arguments: str, **options: Any) -> Any:
    """Run source text that prints one JSON value, and read it."""
    return json.loads(output_of(run_code(code, *arguments, **options)))
