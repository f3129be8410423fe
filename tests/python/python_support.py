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

# CPython's three allocator domains by name, called as an extension would.
DOMAINS = """
import ctypes, json, hakmem
class Domain:
    def __init__(self, prefix):
        self.malloc = self.function(prefix + "Malloc", ctypes.c_void_p, ctypes.c_size_t)
        self.calloc = self.function(prefix + "Calloc", ctypes.c_void_p, ctypes.c_size_t, ctypes.c_size_t)
        self.realloc = self.function(prefix + "Realloc", ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t)
        self.free = self.function(prefix + "Free", None, ctypes.c_void_p)
    @staticmethod
    def function(name, result, *arguments):
        function = getattr(ctypes.pythonapi, name)
        function.restype, function.argtypes = result, arguments
        return function
domains = {"mem": Domain("PyMem_"), "obj": Domain("PyObject_"), "raw": Domain("PyMem_Raw")}
def counts():
    figures = hakmem.stats()
    return figures["served_requests"], figures["passed_requests"]
def served_by_hakmem(domain, size):
    before = hakmem.stats()["live_bytes"]
    blocks = [domain.malloc(size) for _ in range(1000)]
    grown_bytes = hakmem.stats()["live_bytes"] - before
    for block in blocks:
        domain.free(block)
    return grown_bytes >= 1000 * size  # the list of addresses is far smaller
"""

# A table that is not CPython's own, as memray and other tools leave it: pymalloc with another ctx, which it ignores.
FOREIGN_HOOK = """
import ctypes
class Allocator(ctypes.Structure):
    _fields_ = [(name, ctypes.c_void_p) for name in ("ctx", "malloc", "calloc", "realloc", "free")]
RAW, MEM, OBJ = 0, 1, 2
def get(domain):
    allocator = Allocator()
    ctypes.pythonapi.PyMem_GetAllocator(domain, ctypes.byref(allocator))
    return allocator
def put(domain, allocator):
    ctypes.pythonapi.PyMem_SetAllocator(domain, ctypes.byref(allocator))
"""

# A tool of which the frees alone go on to hakmem: new objects come from malloc, which is hakmem's, too, under --all.
REPLACING_TOOL = f"""{FOREIGN_HOOK}
raw, tool = get(RAW), get(OBJ)
tool.ctx, tool.malloc, tool.calloc = 1, raw.malloc, raw.calloc
"""


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
