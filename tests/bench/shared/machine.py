"""Notes on the machine, the interpreter and the sources, so that a figure can be traced back to what it measured."""

from __future__ import annotations

import datetime
import os
import platform
import shlex
import subprocess
import sys
import sysconfig
from collections.abc import Sequence
from pathlib import Path

import psutil
from hakmem.measure.allocators import hakmem_options
from hakmem.shown import shown_on

from bench.shared.peers import Peer

ROOT = Path(__file__).resolve().parents[3]
HUGE_PAGES = Path("/sys/kernel/mm/transparent_hugepage/enabled")


def _git(*arguments: str) -> str:
    try:
        return subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return ""


def commit() -> str:
    """The commit, marked where the sources of what is measured differ from it."""
    changed = _git("status", "--porcelain", "--", "core", "bindings", "cmake", "CMakeLists.txt")
    return (_git("rev-parse", "--short=12", "HEAD") or "unknown") + (" with changes" if changed else "")


def huge_pages() -> str:
    try:
        return HUGE_PAGES.read_text().split("[")[1].split("]")[0]
    except (OSError, IndexError):
        return "unknown"


def processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()


def how_python_was_built() -> str:
    """Where Python was built profile-guided, pymalloc is inlined into its callers."""
    if "--enable-optimizations" in (sysconfig.get_config_var("CONFIG_ARGS") or ""):
        return "profile-guided"
    # Debian and others run the steps themselves and leave no trace of it.
    return "as its distribution builds it" if sys.base_prefix == "/usr" else "not profile-guided"


def describe(peers: Sequence[Peer], command: Sequence[str]) -> dict[str, object]:
    """Everything that goes into the JSON beside the figures."""
    return {
        "command": list(command),
        "date": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
        "commit": commit(),
        "python": sys.version,
        "python_was_built": how_python_was_built(),
        "kernel": platform.release(),
        "processor": processor(),
        "processors": os.cpu_count(),
        "memory_bytes": psutil.virtual_memory().total,
        "page_bytes": os.sysconf("SC_PAGESIZE"),
        "load_average_at_start": psutil.getloadavg(),
        "transparent_huge_pages": huge_pages(),
        "hakmem_options": hakmem_options(),
        "peers": {peer.name: peer.absent or peer.version for peer in peers},
    }


def heading(notes: dict[str, object]) -> str:
    """The notes in a few lines for a reader."""
    load = ", ".join(f"{value:.1f}" for value in psutil.getloadavg())
    command = notes["command"]
    assert isinstance(command, list)
    lines = [
        f"commit {notes['commit']}, {notes['date']}",
        f"command: {shlex.join(['python', *command[1:]])}",
        f"Python {sys.version.split()[0]} ({notes['python_was_built']}), Linux {notes['kernel']},"
        f" {notes['processors']} x {notes['processor']}, load {load},"
        f" transparent huge pages: {notes['transparent_huge_pages']}",
    ]
    peers = notes["peers"]
    assert isinstance(peers, dict)
    lines += [f"  {name}: {text}" for name, text in peers.items()]
    if notes["hakmem_options"]:
        lines.append(f"options of hakmem: {notes['hakmem_options']}")
    return "\n".join(shown_on(sys.stdout, line) for line in lines)
