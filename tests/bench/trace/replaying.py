"""Makes traces and runs the C replayer on them."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bench.rss.workloads import write_json_file
from bench.shared import extension
from bench.shared.peers import clean_environment, hakmem_options
from bench.speed.cases import has_valgrind

PYTHON_PATH = Path(__file__).resolve().parents[2]


def record(out: Path, trace: Path, program: Sequence[str]) -> Path:
    folder = (out / "extension").resolve()
    extension.build(folder)
    command = [sys.executable, "-m", "bench.trace.record", str(folder), str(trace), *program]
    print(f"recording {shlex.join(program)}", file=sys.stderr, flush=True)
    subprocess.run(command, env=clean_environment() | {"PYTHONPATH": str(PYTHON_PATH)}, check=True)
    return trace


def workload_program(out: Path, name: str, scale: float) -> list[str]:
    """A workload by name, as a program to record."""
    inputs = out / "inputs"
    write_json_file(inputs, scale)
    return ["-m", "bench.trace.workload", str(inputs), str(scale), name]


def replay(native: Path, mode: str, trace: Path) -> list[dict[str, Any]]:
    environment = clean_environment() | hakmem_options()
    output = subprocess.run(
        [native / "replay", mode, trace], env=environment, check=True, capture_output=True, text=True
    ).stdout
    return [json.loads(line) for line in output.splitlines()]


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
