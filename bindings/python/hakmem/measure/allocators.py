"""The allocators that a program is compared under: how it is started under each, and how to see that it is in force."""

import glob
import os
import re
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import hakmem
from hakmem import preload
from hakmem.measure.measure_error import MeasureError

LIBRARY_FOLDERS = ("/usr/lib/*-linux-*", "/usr/lib64", "/usr/lib", "/usr/local/lib")
# What would turn one allocator into another one. HAKMEM_... options reach hakmem alone.
STEERING = re.compile(r"HAKMEM(_.*)?|PYTHONMALLOC|LD_PRELOAD|_RJEM_.*|MALLOC_.*|MIMALLOC_.*|GLIBC_TUNABLES")
PROBE_SECONDS_MAX = 60
LEAN = {
    "jemalloc": ("jemalloc decay 0", {"MALLOC_CONF": "dirty_decay_ms:0,muzzy_decay_ms:0"}),
    "mimalloc": ("mimalloc purge delay 0", {"MIMALLOC_PURGE_DELAY": "0"}),
}
WHOLE = "hakmem, all"  # objects, and malloc
BASELINES = {"python": "pymalloc", "lua": "malloc"}


@dataclass
class Allocator:
    """One way to start a program."""

    name: str
    launcher: Sequence[str] = ()  # between the interpreter and the program
    environment: dict[str, str] = field(default_factory=dict)
    mapped_file: str = ""  # part of a path that must be among the mappings of a process under it
    version: str = ""
    missing: str = ""  # why it cannot be used here, and what brings it

    def as_json(self) -> dict[str, str]:
        """Return what goes into the result."""
        return {"name": self.name, "version": self.version, "missing": self.missing}


def find_library(patterns: Sequence[str]) -> str | None:
    """Return the first file of these names: system libraries, then what pip put beside this interpreter's packages."""
    folders = [*LIBRARY_FOLDERS, *(f"{glob.escape(path)}/cmeel.prefix/lib" for path in sys.path if path)]
    for pattern in patterns:
        for folder in folders:
            found = sorted(glob.glob(f"{folder}/{pattern}"))
            if found:
                return os.path.realpath(found[0])
    return None


def clean_environment() -> dict[str, str]:
    """Return this environment without what steers an allocator; hashes are the same in all runs."""
    kept = {name: value for name, value in os.environ.items() if not STEERING.fullmatch(name)}
    kept.setdefault("PYTHONHASHSEED", "0")
    return kept


def hakmem_options() -> dict[str, str]:
    """Return the options of hakmem in the environment; they are part of what is measured."""
    return {name: value for name, value in os.environ.items() if name.startswith("HAKMEM_")}


def ask(command: Sequence[str], environment: dict[str, str]) -> str | None:
    """Return what a short command prints; None where it fails or does not end."""
    try:
        result = subprocess.run(
            list(command),
            env=clean_environment() | environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=PROBE_SECONDS_MAX,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return result.stdout.strip() if result.returncode == 0 and not result.stderr else None


def _preloaded(name: str, patterns: Sequence[str], package: str, probe: Sequence[str], language: str) -> Allocator:
    library = find_library(patterns)
    if library is None:
        return Allocator(name, missing=f"{patterns[0]} was not found; {package} brings it")
    environment = {"LD_PRELOAD": library}
    if language == "python":
        environment["PYTHONMALLOC"] = "malloc"
    if ask(probe, environment) is None:
        return Allocator(name, missing=f"{library} cannot be preloaded into {probe[0]}; {package} brings another one")
    return Allocator(name, (), environment, os.path.basename(library), os.path.basename(library))


def _preloaded_peers(probe: Sequence[str], language: str) -> list[Allocator]:
    jemalloc = "the Debian package libjemalloc2"
    mimalloc = "pip install cmeel-mimalloc, or the Debian package libmimalloc2.0,"
    found = [
        _preloaded("jemalloc", ["libjemalloc.so.2"], jemalloc, probe, language),
        _preloaded("mimalloc", ["libmimalloc.so", "libmimalloc.so.*"], mimalloc, probe, language),
    ]
    return [*found, *(_lean(allocator, *LEAN[allocator.name]) for allocator in found)]


def _lean(allocator: Allocator, name: str, variables: dict[str, str]) -> Allocator:
    """Return the same allocator, told to keep nothing that is free."""
    return replace(allocator, name=name, environment=allocator.environment | variables)


def python_allocators(python: str) -> list[Allocator]:
    """Return all of them for a Python interpreter, stock first, hakmem second, also those that are missing here."""
    version = ask([python, "-c", "import platform; print(platform.python_version())"], {})
    if version is None:
        raise MeasureError(f"{python} does not run; name a Python interpreter")
    built_in = Allocator("PYTHONMALLOC=mimalloc", (), {"PYTHONMALLOC": "mimalloc"}, "", f"CPython {version}")
    if ask([python, "-c", "pass"], built_in.environment) is None:
        built_in.missing = "this interpreter has none; CPython brings it from 3.13 on"
    return [
        Allocator("pymalloc", version=f"CPython {version}"),
        *_hakmem_for_python(python),
        Allocator("malloc", (), {"PYTHONMALLOC": "malloc"}, "", "the C library's"),
        built_in,
        *_preloaded_peers([python, "-c", "pass"], "python"),
    ]


def word_of(name: str) -> str:
    """Return the name as --allocators takes it: in one word, without a comma."""
    return re.sub(r"[, ]+", "-", name)


def _hakmem_for_python(python: str) -> list[Allocator]:
    launcher = ("-m", "hakmem", "run", "--require")
    code = "import hakmem; hakmem.enable(); print(hakmem.__version__)"
    version = ask([python, "-c", code], {})
    if version is None:
        missing = f"it cannot be enabled in {python}; 'hakmem status' says why"
        return [Allocator("hakmem", missing=missing), Allocator(WHOLE, missing=missing)]
    ours = Allocator("hakmem", launcher, hakmem_options(), "_hakmem", version)
    whole = replace(ours, name=WHOLE, launcher=(*launcher, "--all"), mapped_file=preload.LIBRARY_NAME)
    if ask([python, *whole.launcher, "-c", "pass"], whole.environment) is None:
        whole.missing = f"malloc cannot be served in {python}; 'hakmem run --all --require -c pass' says why"
    return [ours, whole]


def lua_allocators(lua: str) -> list[Allocator]:
    """Return all of them for a Lua interpreter."""
    version = ask([lua, "-e", "print(_VERSION)"], {})
    if version is None:
        raise MeasureError(f"{lua} does not run; name a Lua interpreter with --lua")
    enable = 'assert(require("hakmem").enable())'
    ours = Allocator("hakmem", ("-e", enable), hakmem_options(), "hakmem.so", hakmem.__version__)
    if ask([lua, "-e", enable], {}) is None:
        ours = Allocator("hakmem", missing="the module hakmem was not found; `make lua` builds it, LUA_CPATH names it")
    return [
        Allocator("malloc", version=f"{version} with the C library's"),
        ours,
        *_preloaded_peers([lua, "-e", ""], "lua"),
    ]


def choose(allocators: Sequence[Allocator], wanted: Sequence[str], baseline: str) -> list[Allocator]:
    """Return those that are named, all when none is; the baseline always, because ratios are to it.

    Raises MeasureError for a named one that is missing here.
    """
    for allocator in allocators:
        if allocator.name in wanted and allocator.missing:
            raise MeasureError(f"{allocator.name} cannot be used: {allocator.missing}")
    return [
        allocator for allocator in allocators if not wanted or allocator.name in wanted or allocator.name == baseline
    ]


def in_turn(allocators: Sequence[Allocator], turn: int) -> list[Allocator]:
    """Return them, each turn beginning with another one, so that a slow drift of the machine hits all alike."""
    start = turn % len(allocators)
    return [*allocators[start:], *allocators[:start]]
