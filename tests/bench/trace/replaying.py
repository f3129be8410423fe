"""Makes traces and runs the C replayer on them."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hakmem.measure.allocators import hakmem_options
from hakmem.shown import shown_on

from bench.rss.workloads import write_json_file
from bench.shared import extension
from bench.shared.command import fail, refuse
from bench.shared.peers import clean_environment
from bench.speed.cases import has_valgrind

PYTHON_PATH = Path(__file__).resolve().parents[2]


def check_program(program: Sequence[str]) -> None:
    """Refuses one that is not there."""
    first, *rest = program
    if first != "-m":
        if not Path(first).exists():
            refuse(f"there is no program {first!r}; give SCRIPT or -m MODULE")
        return
    try:
        is_there = bool(rest) and importlib.util.find_spec(rest[0]) is not None
    except (ImportError, ValueError):
        is_there = False
    if not is_there:
        refuse(f"there is no module {' '.join(rest[:1])!r}; give -m MODULE")


def record(out: Path, trace: Path, program: Sequence[str]) -> Path:
    folder = (out / "extension").resolve()
    extension.build(folder)
    command = [sys.executable, "-m", "bench.trace.record", str(folder), str(trace), *program]
    print(f"recording {shown_on(sys.stderr, shlex.join(program))}", file=sys.stderr, flush=True)
    environment = clean_environment() | {"PYTHONPATH": str(PYTHON_PATH)}
    exit_code = subprocess.run(command, env=environment).returncode
    if exit_code != 0:
        fail(f"the program failed with exit code {exit_code}; nothing was replayed")
    return trace


def workload_program(out: Path, name: str, scale: float) -> list[str]:
    """A workload by name, as a program to record."""
    inputs = out / "inputs"
    write_json_file(inputs, scale)
    return ["-m", "bench.trace.workload", str(inputs), str(scale), name]


def replay(native: Path, mode: str, trace: Path) -> list[dict[str, Any]]:
    environment = clean_environment() | hakmem_options()
    result = subprocess.run([native / "replay", mode, trace], env=environment, capture_output=True, text=True)
    if result.returncode != 0:
        said = result.stderr.strip().rpartition("\n")[2]
        fail(f"{trace} cannot be replayed, exit code {result.returncode}: {said}")
    return [json.loads(line) for line in result.stdout.splitlines()]


def count_instructions(native: Path, trace: Path) -> int | None:
    """Of the replay alone, without the reading of the trace; None without valgrind."""
    if not has_valgrind():
        return None
    tool = ["valgrind", "--tool=callgrind", f"--callgrind-out-file={os.devnull}", "--toggle-collect=replay_events"]
    errors = subprocess.run(
        [*tool, native / "replay", "time", trace],
        env=clean_environment() | hakmem_options(),
        check=True,
        capture_output=True,
        text=True,
    ).stderr
    found = re.search(r"Collected : (\d+)", errors)
    return int(found[1]) if found else None
