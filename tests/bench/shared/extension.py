"""Builds and imports _hakmem_bench, the benchmarks' own extension module, for the interpreter that runs."""

from __future__ import annotations

import importlib.util
import os
import shlex
import subprocess
import sys
import sysconfig
from pathlib import Path
from types import ModuleType

SOURCES = Path(__file__).resolve().parents[1] / "extension"
NAME = "_hakmem_bench"


def path_in(folder: Path) -> Path:
    return folder / f"{NAME}{sysconfig.get_config_var('EXT_SUFFIX')}"


def build(folder: Path) -> Path:
    """Compiles it unless it is newer than its sources; ends the program where there is no compiler."""
    built = path_in(folder)
    sources = sorted(SOURCES.glob("*.[ch]"))
    if built.exists() and built.stat().st_mtime > max(path.stat().st_mtime for path in sources):
        return built
    folder.mkdir(parents=True, exist_ok=True)
    command = [
        *shlex.split(os.environ.get("CC", "cc")),
        *("-O2", "-g", "-fPIC", "-shared", "-Wall", "-Wextra", "-o", str(built)),
        *("-isystem", sysconfig.get_path("include")),
        *(str(path) for path in sources if path.suffix == ".c"),
    ]
    if subprocess.run(command).returncode != 0:
        sys.exit(f"error: the benchmarks' extension module could not be built: {shlex.join(command)}")
    return built


def load(folder: Path) -> ModuleType:
    """What `build` made."""
    spec = importlib.util.spec_from_file_location(NAME, path_in(folder))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
