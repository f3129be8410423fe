"""The build backend of pyproject.toml: scikit-build-core, after a look at what the extension needs of the machine.

Without a C compiler or Python's headers CMake fails in sixty lines that name no package. The look is taken first,
before CMake and ninja are fetched, and ends in one line. Whoever tells CMake where things are is left to CMake.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
import sysconfig
from dataclasses import dataclass

from scikit_build_core import build
from scikit_build_core.build import (
    build_sdist,
    get_requires_for_build_sdist,
    prepare_metadata_for_build_editable,
    prepare_metadata_for_build_wheel,
)

__all__ = [
    "build_editable",
    "build_sdist",
    "build_wheel",
    "get_requires_for_build_editable",
    "get_requires_for_build_sdist",
    "get_requires_for_build_wheel",
    "prepare_metadata_for_build_editable",
    "prepare_metadata_for_build_wheel",
]

Settings = dict[str, "str | list[str]"] | None
# Each of them may name another compiler, other headers, another machine.
TOLD_TO_CMAKE = (
    "CMAKE_ARGS", "CMAKE_C_COMPILER", "CMAKE_TOOLCHAIN_FILE", "DIST_EXTRA_CONFIG", "SKBUILD_CMAKE_ARGS",
    "SKBUILD_CMAKE_DEFINE", "SKBUILD_CMAKE_TOOLCHAIN_FILE", "_PYTHON_HOST_PLATFORM", "_PYTHON_SYSCONFIGDATA_NAME",
)  # fmt: skip
# What CMake looks for where CC is not set.
COMPILERS = ("cc", "gcc", "clang", "icx", "xlc")
INCLUDES_OF_C = "#include <stdlib.h>\n"


@dataclass(frozen=True)
class Missing:
    """Something that is not there, and the packages that bring it."""

    what: str
    debian: str
    fedora: str
    alpine: str


def get_requires_for_build_wheel(config_settings: Settings = None) -> list[str]:
    """Look at the machine, then ask scikit-build-core; the first call that a frontend makes."""
    check_machine(config_settings)
    return list(build.get_requires_for_build_wheel(config_settings))


def get_requires_for_build_editable(config_settings: Settings = None) -> list[str]:
    """Do the same for an editable installation."""
    check_machine(config_settings)
    return list(build.get_requires_for_build_editable(config_settings))


def build_wheel(wheel_directory: str, config_settings: Settings = None, metadata_directory: str | None = None) -> str:
    """Look again: without build isolation a frontend may not ask what is required."""
    check_machine(config_settings)
    return str(build.build_wheel(wheel_directory, config_settings, metadata_directory))


def build_editable(
    wheel_directory: str, config_settings: Settings = None, metadata_directory: str | None = None
) -> str:
    """Do the same for an editable installation."""
    check_machine(config_settings)
    return str(build.build_editable(wheel_directory, config_settings, metadata_directory))


def check_machine(config_settings: Settings) -> None:
    """End with one line where something is missing, unless CMake was told where things are."""
    if any(map(os.environ.get, TOLD_TO_CMAKE)) or any("cmake" in key for key in config_settings or {}):
        return
    missing = [found for found in (missing_for_c(), missing_for_python()) if found is not None]
    if missing:
        raise SystemExit(
            f"hakmem: error: {' and '.join(row.what for row in missing)}; install"
            f" {' '.join(row.debian for row in missing)} (Debian, Ubuntu),"
            f" {' '.join(row.fedora for row in missing)} (Fedora) or"
            f" {' '.join(row.alpine for row in missing)} (Alpine)"
        )


def missing_for_c() -> Missing | None:
    """Return what is missing to compile C; None where all is there."""
    named = os.environ.get("CC", "")
    compiler = shlex.split(named) or [name for name in COMPILERS if shutil.which(name)][:1]
    if not compiler or shutil.which(compiler[0]) is None:
        what = f"there is no C compiler ({f'CC={named}' if named else COMPILERS[0]})"
        return Missing(what, "build-essential", "gcc", "build-base")
    command = [*compiler, "-E", "-x", "c", "-"]
    try:
        done = subprocess.run(command, input=INCLUDES_OF_C.encode(), capture_output=True)
    except OSError:
        return None  # CMake says what is wrong with it
    if done.returncode != 0:
        what = "the headers of the C library are missing (stdlib.h)"
        return Missing(what, "build-essential", "glibc-devel", "musl-dev")
    return None


def missing_for_python() -> Missing | None:
    """Return Python's headers if they are missing where scikit-build-core lets CMake look."""
    header = os.path.join(sysconfig.get_path("include"), "Python.h")
    if os.path.exists(header):
        return None
    # Distributions name the package of their default Python otherwise than those of the others.
    is_default = os.path.realpath("/usr/bin/python3") == os.path.realpath(sys.executable)
    name = "python3" if is_default else f"python3.{sys.version_info.minor}"
    return Missing(f"Python's headers are missing ({header})", f"{name}-dev", f"{name}-devel", "python3-dev")
