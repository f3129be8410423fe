""".ci/check-system names what is missing with the line that installs it, or installs it when it runs as root."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

TOOLS = ["bash", "env", "id", "sort", "readlink", "cc", "c++", "nm", "pkg-config"]


@pytest.fixture
def machine(tmp_path: Path) -> Path:
    """A folder to serve as PATH: the tools that the script uses and looks for, and a user who is not root."""
    for tool in TOOLS:
        found = shutil.which(tool)
        assert found, f"this test needs {tool}"
        (tmp_path / tool).symlink_to(found)
    plant(tmp_path, "id", "echo 1000")
    return tmp_path


def plant(machine: Path, name: str, script: str) -> None:
    path = machine / name
    path.unlink(missing_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


def check(repository: Path, machine: Path, *arguments: str, python: str = sys.executable, **environment: str):
    return subprocess.run(
        [shutil.which("bash") or "bash", repository / ".ci" / "check-system", python, *arguments],
        env={"PATH": str(machine), **environment},
        capture_output=True,
        text=True,
    )


def test_complete_machine_is_silent(repository: Path, machine: Path) -> None:
    result = check(repository, machine, "python", "core")
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")


def test_missing_packages_are_named(repository: Path, machine: Path) -> None:
    (machine / "cc").unlink()
    result = check(repository, machine, "python", "core", PKG_CONFIG_LIBDIR="/nowhere")
    assert result.returncode == 1
    assert result.stderr == (
        "error: missing on this machine:\n"
        "  - a C compiler (cc)\n"
        "  - cmocka\n"
        "Install with:\n"
        "  sudo apt-get install -y build-essential libcmocka-dev\n"
    )


def test_core_packages_are_not_asked_for_by_others(repository: Path, machine: Path) -> None:
    assert check(repository, machine, "python", PKG_CONFIG_LIBDIR="/nowhere").returncode == 0


NO_LUA_HEADERS = {"LUA_HEADERS": "/nowhere/lua*/lua.h"}


def test_missing_lua_is_named(repository: Path, machine: Path) -> None:
    result = check(repository, machine, "lua", **NO_LUA_HEADERS)
    assert result.returncode == 1
    assert result.stderr.endswith("Install with:\n  sudo apt-get install -y liblua5.4-dev lua5.4\n")
    plant(machine, "luajit", "")
    assert "  - Lua's headers\n" in check(repository, machine, "lua", **NO_LUA_HEADERS).stderr


def test_languages_that_are_wanted_are_no_error(repository: Path, machine: Path) -> None:
    for tool in ("ruby", "tclsh"):
        plant(machine, tool, "")
    nowhere = {"RUBY_HEADERS": "/nowhere/ruby.h", "TCL_HEADERS": "/nowhere/tcl.h"}
    result = check(repository, machine, "python", "swig-wanted", **nowhere)
    assert (result.returncode, result.stdout) == (0, "")
    assert result.stderr == (
        "note: tests of other languages are skipped: sudo apt-get install -y ruby ruby-dev tcl tcl-dev\n"
    )
    result = check(repository, machine, "swig-wanted", RUBY_HEADERS="/nowhere/ruby.h", TCL_HEADERS="/")
    assert result.stderr == "note: tests of other languages are skipped: sudo apt-get install -y ruby ruby-dev\n"


def test_lua_that_is_wanted_is_no_error(repository: Path, machine: Path) -> None:
    result = check(repository, machine, "python", "lua-wanted", **NO_LUA_HEADERS)
    assert (result.returncode, result.stdout) == (0, "")
    assert result.stderr == "note: without Lua its tests are skipped: sudo apt-get install -y lua5.4 liblua5.4-dev\n"


def test_root_goes_on_without_lua_where_it_cannot_be_installed(repository: Path, machine: Path) -> None:
    plant(machine, "id", "echo 0")
    plant(machine, "apt-get", f'echo "$@" >> {machine}/log; exit 100')
    result = check(repository, machine, "python", "lua-wanted", **NO_LUA_HEADERS)
    assert result.returncode == 0, result.stderr
    assert "note: without Lua its tests are skipped" in result.stderr
    assert (machine / "log").read_text().splitlines()[-1].endswith("liblua5.4-dev lua5.4")


def test_missing_python_is_named(repository: Path, machine: Path) -> None:
    result = check(repository, machine, "python", python="python3")
    assert result.returncode == 1
    assert "sudo apt-get install -y python3 python3-dev python3-venv\n" in result.stderr


@pytest.mark.parametrize("python", ["", "nosuch-python", "/etc/passwd", "false"])
def test_nothing_is_installed_for_a_python_that_was_named(repository: Path, machine: Path, python: str) -> None:
    plant(machine, "id", "echo 0")
    plant(machine, "false", "exit 1")
    plant(machine, "apt-get", f"echo >> {machine}/log")
    result = check(repository, machine, "python", python=python)
    assert (result.returncode, result.stdout, (machine / "log").exists()) == (1, "", False)
    assert result.stderr == (
        f"error: PYTHON={python} is not a Python that runs; name one, as in: make PYTHON=python3 ...\n"
    )


def test_python_that_is_too_old_is_named(repository: Path, machine: Path) -> None:
    plant(machine, "old-python", '[ "$1" = --version ] && echo Python 3.9.1; [ "$2" = pass ]')
    result = check(repository, machine, "python", python="old-python")
    assert result.returncode == 1
    assert "old-python is Python 3.9.1; hakmem needs Python 3.10 or newer" in result.stderr
    assert "make PYTHON=" in result.stderr


def test_root_installs_what_is_missing(repository: Path, machine: Path) -> None:
    log = machine / "log"
    plant(machine, "id", "echo 0")
    real_compiler = (machine / "cc").resolve()
    (machine / "cc").unlink()
    plant(machine, "apt-get", f'echo "$@" >> {log}; [ "$1" = update ] || /bin/ln -s {real_compiler} {machine}/cc')
    result = check(repository, machine, "python")
    assert result.returncode == 0, result.stderr
    assert result.stdout == "Installing build-essential\n"
    assert log.read_text().splitlines()[-1].endswith("build-essential")


def test_root_is_told_what_could_not_be_installed(repository: Path, machine: Path) -> None:
    plant(machine, "id", "echo 0")
    plant(machine, "apt-get", "exit 100")
    (machine / "cc").unlink()
    result = check(repository, machine, "python")
    assert result.returncode == 1
    assert "sudo apt-get install -y build-essential" in result.stderr
