"""The allocators that are compared: how a Python program is started under each, and how to see that it is in force."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from hakmem.measure.allocators import (
    LEAN,
    LIBRARY_FOLDERS,
    WHOLE,
    find_library,
    hakmem_options,
    python_allocators,
    word_of,
)

from bench.shared.command import check_names, refuse

# What would change a peer without being part of it. HAKMEM_... reaches hakmem alone.
LEFT_OUT_PREFIXES = ("HAKMEM", "PYTHON", "MALLOC_", "MIMALLOC_", "TCMALLOC_", "LD_PRELOAD", "GLIBC_TUNABLES")


@dataclass
class Peer:
    """One way to run Python."""

    name: str
    launcher: Sequence[str] = ()  # between the interpreter and the program
    environment: dict[str, str] = field(default_factory=dict)
    mapped_file: str = ""  # part of a path that must be among the process's mappings
    version: str = ""
    absent: str = ""  # why it cannot be measured here
    is_variant: bool = False  # another setting of a peer; long parts leave it out unless it is named
    worker_environment: dict[str, str] = field(default_factory=dict)  # for the launcher, in processes that others start


def clean_environment() -> dict[str, str]:
    environment = {key: value for key, value in os.environ.items() if not key.startswith(LEFT_OUT_PREFIXES)}
    environment["PYTHONHASHSEED"] = "0"
    return environment


def _ask(code: str, environment: dict[str, str]) -> str | None:
    """Output of a line of Python, None where it failed."""
    result = subprocess.run(
        [sys.executable, "-c", code], env=clean_environment() | environment, capture_output=True, text=True, timeout=60
    )
    return result.stdout.strip() if result.returncode == 0 else None


JEMALLOC_VERSION = """
import ctypes
text, size = ctypes.c_char_p(), ctypes.c_size_t(ctypes.sizeof(ctypes.c_char_p))
ctypes.CDLL(None).mallctl(b"version", ctypes.byref(text), ctypes.byref(size), None, 0)
print(text.value.decode().split('-')[0])
"""
MIMALLOC_VERSION = """
import ctypes
version = ctypes.CDLL(None).mi_version()
print(version // 10000, version // 100 % 100, version % 100, sep=".")
"""
TCMALLOC_VERSION = """
import ctypes
major, minor = ctypes.c_int(), ctypes.c_int()
ctypes.CDLL(None).tc_version(ctypes.byref(major), ctypes.byref(minor), None)
print(major.value, minor.value, sep=".")
"""


def _preloaded(name: str, library: str | Path | None, version_code: str, missing: str, **environment: str) -> Peer:
    if library is None:
        return Peer(name, absent=missing)
    is_variant = bool(environment)
    environment |= {"LD_PRELOAD": str(library), "PYTHONMALLOC": "malloc"}
    version = _ask(version_code, environment)
    if version is None:
        return Peer(name, absent=f"{library} cannot be preloaded")
    return Peer(name, (), environment, Path(library).name, version, is_variant=is_variant)


def _command(*words: str) -> tuple[str, ...]:
    """`hakmem ...` as users give it: by the script that pip puts beside the interpreter."""
    script = Path(sys.executable).with_name("hakmem")
    return (str(script), *words) if script.exists() else ("-m", "hakmem", *words)


def _hakmem() -> Peer:
    version = _ask("import hakmem; hakmem.enable(); print(hakmem.stats() and hakmem.__version__)", {})
    if version is None:
        return Peer("hakmem", absent="the package is not installed for this interpreter")
    launcher, in_worker = _command("run", "--require"), {"HAKMEM": "1"}
    return Peer("hakmem", launcher, hakmem_options(), "_hakmem", version, worker_environment=in_worker)


def _python_mimalloc() -> Peer:
    name = "PYTHONMALLOC=mimalloc"
    if sys.version_info < (3, 13):
        return Peer(name, absent=f"CPython has it from 3.13, this is {sys.version.split()[0]}")
    environment = {"PYTHONMALLOC": "mimalloc"}
    if _ask("pass", environment) is None:
        return Peer(name, absent="this interpreter was built without it")
    return Peer(name, (), environment, "", sys.version.split()[0])


def _jemalloc(name: str = "jemalloc", **environment: str) -> Peer:
    missing = f"libjemalloc.so.2 was not found in {', '.join(LIBRARY_FOLDERS)} (Debian: libjemalloc2)"
    return _preloaded(name, find_library(["libjemalloc.so.2"]), JEMALLOC_VERSION, missing, **environment)


def _mimalloc(name: str, folder: Path, **environment: str) -> Peer:
    library = next(iter(sorted(folder.rglob("libmimalloc.so"))), None)
    missing = f"libmimalloc.so was not found in {folder} (PyPI: cmeel-mimalloc)"
    return _preloaded(name, library, MIMALLOC_VERSION, missing, **environment)


def python_peers(mimalloc_folder: Path) -> list[Peer]:
    """All of them, stock first, hakmem last, also those that are absent here."""
    lean_jemalloc, decay_0 = LEAN["jemalloc"]
    return [
        Peer("pymalloc", version=sys.version.split()[0]),
        _python_mimalloc(),
        _jemalloc(),
        _jemalloc(lean_jemalloc, **decay_0),
        _mimalloc("mimalloc", mimalloc_folder),
        # Where huge pages are allowed on request mimalloc asks for them; zeroing them can cost more than it gains.
        _mimalloc("mimalloc no THP", mimalloc_folder, MIMALLOC_ALLOW_THP="0"),
        _hakmem(),
    ]


def process_peers(mimalloc_folder: Path) -> list[Peer]:
    """Those that serve a whole process, the C library first; hakmem for the objects alone, hakmem for all last."""
    lean_jemalloc, decay_0 = LEAN["jemalloc"]
    lean_mimalloc, purge_delay_0 = LEAN["mimalloc"]
    libc = " ".join(platform.libc_ver())
    trimmed = {"MALLOC_TRIM_THRESHOLD_": "65536", "MALLOC_MMAP_THRESHOLD_": "65536"}
    tcmalloc = "libtcmalloc_minimal.so.4"
    no_tcmalloc = f"{tcmalloc} was not found in {', '.join(LIBRARY_FOLDERS)} (Debian: libtcmalloc-minimal4)"
    return [
        Peer("glibc", version=libc),
        Peer("glibc 2 arenas", (), {"MALLOC_ARENA_MAX": "2"}, "", libc, is_variant=True),
        Peer("glibc trim 64 KiB", (), trimmed, "", libc, is_variant=True),
        _jemalloc(),
        _jemalloc(lean_jemalloc, **decay_0),
        _mimalloc("mimalloc", mimalloc_folder),
        _mimalloc(lean_mimalloc, mimalloc_folder, **purge_delay_0),
        _preloaded("tcmalloc-minimal", find_library([tcmalloc]), TCMALLOC_VERSION, no_tcmalloc),
        _hakmem(),
        _hakmem_for_all(),
    ]


def array_peers(mimalloc_folder: Path) -> list[Peer]:
    """Those that give memory of arrays back, or are said to: the C library does with fixed thresholds."""
    names = ("glibc", "glibc trim 64 KiB", LEAN["jemalloc"][0], LEAN["mimalloc"][0], "hakmem", WHOLE)
    known = {peer.name: peer for peer in process_peers(mimalloc_folder)}
    stock, *others = [known[name] for name in names]
    return [stock, _python_mimalloc(), *others]


def _hakmem_for_all() -> Peer:
    """The C library's malloc, too; where it cannot be served, `hakmem compare` knows why."""
    found = next(row for row in python_allocators(sys.executable) if row.name == WHOLE)
    launcher = _command("run", "--require", "--all")
    return Peer(WHOLE, launcher, found.environment, found.mapped_file, found.version, found.missing)


def pass_through_peer(extension_folder: Path) -> Peer:
    """A hook that only forwards to pymalloc: the floor of what any hook costs."""
    launcher = ("-m", "bench.speed.pass_through", str(extension_folder))
    in_worker = {"BENCH_PASS_THROUGH": str(extension_folder.resolve())}
    version = sys.version.split()[0]
    return Peer("pass-through hook", launcher, {}, "_hakmem_bench", version, worker_environment=in_worker)


def command_for(peer: Peer, program: Sequence[str]) -> list[str]:
    return [sys.executable, *peer.launcher, *program]


def environment_for(peer: Peer, python_path: Path) -> dict[str, str]:
    return clean_environment() | peer.environment | {"PYTHONPATH": str(python_path)}


def in_turn(peers: Sequence[Peer], turn: int) -> list[Peer]:
    """The peers, each turn beginning with another one, so that a slow drift of the machine hits all alike."""
    start = turn % len(peers)
    return [*peers[start:], *peers[:start]]


def choose(peers: Sequence[Peer], wanted: Sequence[str], stock: str = "pymalloc") -> list[Peer]:
    """Those that are named, else all that are here; stock always, because figures are relative to it."""
    names = {word_of(peer.name): peer.name for peer in peers}
    wanted = [names.get(word, word) for word in wanted]
    # One with a comma can be named in one word only.
    known = [word_of(peer.name) if "," in peer.name else peer.name for peer in peers]
    check_names("peer", [word for word in wanted if word not in names.values()], known)
    for peer in peers:
        if peer.name in wanted and peer.absent:
            refuse(f"peer {peer.name!r} cannot be measured: {peer.absent}")
    return [peer for peer in peers if not peer.absent and (not wanted or peer.name in (*wanted, stock))]
