"""Helpers of the measuring side's tests: programs to measure, and what is left of them."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psutil
from python_support import HAKMEM, SECONDS_MAX, clean_environment, run

MEBIBYTE = 1024 * 1024

# Many small objects, a few of which survive: what pymalloc keeps and hakmem gives back.
SCATTERED = """
import time
blocks = [[number] for number in range(400_000)]
kept = blocks[::2000]
del blocks
time.sleep(1.5)
"""


def hakmem_command(
    *words: str, cwd: Path, file_bytes_max: int | None = None, **variables: str
) -> subprocess.CompletedProcess[str]:
    """Run `hakmem ...` in a directory."""

    def limit() -> None:
        import resource

        assert file_bytes_max is not None
        resource.setrlimit(resource.RLIMIT_FSIZE, (file_bytes_max, file_bytes_max))

    return subprocess.run(
        [*HAKMEM, *words],
        cwd=cwd,
        env=clean_environment(**variables),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=SECONDS_MAX,
        preexec_fn=limit if file_bytes_max is not None else None,
    )


def hakmem_with_closed(streams: str, *words: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """The same where the shell closed standard streams, as `2>&-` does."""
    return run(["sh", "-c", f'exec "$@" {streams}', "sh", *HAKMEM, *words], cwd=cwd)


def start_hakmem(*words: str, cwd: Path, **variables: str) -> subprocess.Popen[str]:
    """Start `hakmem ...` and go on."""
    return start([*HAKMEM, *words], cwd=cwd, **variables)


def start(command: list[str], *, cwd: Path, **variables: str) -> subprocess.Popen[str]:
    """Start a command and go on."""
    return subprocess.Popen(
        command,
        cwd=cwd,
        env=clean_environment(**variables),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def start_python(code: str, *, cwd: Path, launcher: tuple[str, ...] = (), **variables: str) -> subprocess.Popen[str]:
    """Start source text that prints a line when it is ready, and wait for that line."""
    process = start([sys.executable, *launcher, "-c", code], cwd=cwd, **variables)
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line, process.communicate()[1]
    return process


def end(process: subprocess.Popen[str]) -> None:
    """Kill it."""
    process.kill()
    process.communicate()


def script(directory: Path, text: str, name: str = "program.py") -> str:
    """Write a program; its name."""
    (directory / name).write_text(text)
    return name


def result_in(directory: Path) -> Any:
    """The result.json of a comparison."""
    return json.loads((directory / "result.json").read_text())


def wait_until(condition: Any, seconds: float = 20) -> None:
    """Wait for something that happens soon."""
    limit = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < limit, "it did not happen"
        time.sleep(0.02)


def socket_names(process_id: int) -> list[str]:
    """The sockets that say to be where this process tells its stats, as the kernel lists them."""
    name = re.compile(rf" (@hakmem\.stats\.{process_id}\.[0-9a-f]+)$", re.MULTILINE)
    return name.findall(Path("/proc/net/unix").read_text(errors="replace"))


def processes_with(word: str) -> list[int]:
    """Processes, other than this one, that have this word in their command line."""
    found = []
    for process in psutil.process_iter(["cmdline"]):
        if process.pid != os.getpid() and word in " ".join(process.info["cmdline"] or []):
            found.append(process.pid)
    return found
