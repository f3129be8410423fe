"""make looks at PYTHON and SECONDS before it does anything, on a copy of the repository's make files."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

COPIED = ("Makefile", "pyproject.toml", "tests/hardening.mk", "tests/core/check-seconds", ".ci/check-system")


@pytest.fixture
def folder(repository: Path, tmp_path: Path) -> Path:
    """What make needs for its first steps, and something that was built before."""
    for name in COPIED:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(repository / name, tmp_path / name)
    (tmp_path / "build" / "venv" / "earlier").mkdir(parents=True)
    return tmp_path


def plant(folder: Path, name: str, script: str) -> None:
    (folder / name).write_text(f"#!/bin/sh\n{script}\n")
    (folder / name).chmod(0o755)


def make(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    # Of a make that runs these tests the environment has the variables, too.
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
    environment["PATH"] = f"{folder}:{environment['PATH']}"
    return subprocess.run(["make", *words], cwd=folder, env=environment, capture_output=True, text=True)


@pytest.mark.parametrize("target", ["bench-speed", "bench-trace", "bench-lua", "lint", "test", "peer-lua", "tidy"])
@pytest.mark.parametrize("python", ["", "/nonexistent/python", "/etc/passwd", "echo"])
def test_python_that_is_none_is_one_line_and_changes_nothing(folder: Path, target: str, python: str) -> None:
    log = folder / "log"
    plant(folder, "apt-get", f"echo >> {log}")
    result = make(folder, target, f"PYTHON={python}", "RUNS=1")
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr.count("\n") == 1
    assert f"PYTHON={python} is not a Python that runs; name one, as in: make {target} PYTHON=python3" in result.stderr
    assert (folder / "build" / "venv" / "earlier").exists()
    assert not log.exists()


@pytest.mark.parametrize("target", ["fuzz", "sanitize"])
@pytest.mark.parametrize("seconds", ["", "0", "5s", "5 6"])
def test_seconds_that_are_none_are_refused_before_anything_is_built(folder: Path, target: str, seconds: str) -> None:
    plant(folder, ".ci/check-system", f"touch {folder}/log; exit 1")
    result = make(folder, target, f"SECONDS={seconds}")
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr.startswith(f"error: SECONDS={seconds} is not a whole number above 0\n")
    assert not (folder / "log").exists()


def test_python_that_was_installed_just_now_needs_another_call(folder: Path) -> None:
    plant(folder, "id", "echo 0")
    plant(folder, "apt-get", f"touch {folder}/ready")
    plant(folder, "python3", f'[ -e {folder}/ready ] && exec {sys.executable} "$@"')
    result = make(folder, "lint", "PYTHON=python3")
    assert result.returncode == 2
    assert result.stderr.startswith("error: Python was installed just now; call make again\n")
    assert (folder / "build" / "venv" / "earlier").exists()


def test_help_and_clean_need_no_python(folder: Path) -> None:
    assert "bench-speed" in make(folder, "PYTHON=/nonexistent/python").stdout
    assert "bench-speed" in make(folder, "help", "PYTHON=").stdout
    assert make(folder, "clean", "PYTHON=").returncode == 0
    assert not (folder / "build").exists()


def test_package_is_installed_again_after_a_change_of_whatever_is_in_it(repository: Path) -> None:
    """What CMake builds without the tests and Lua's module: the extension, and the library beside it."""
    rule = "sources: ; @printf '%s\\n' $(package_sources)"
    command = ["make", "--no-print-directory", f"--eval={rule}", "sources", f"PYTHON={sys.executable}"]
    result = subprocess.run(command, cwd=repository, capture_output=True, text=True, check=True)
    folders = {str(Path(source).parent) for source in result.stdout.split()}
    assert {"core/include", "bindings/python/src", "bindings/python/hakmem", "bindings/libc/src", "swig"} <= folders
