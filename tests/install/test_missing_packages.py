"""`pip install .` on a machine without Python's headers, or a C compiler, says so in one line, with the packages."""

from __future__ import annotations

import importlib.util
import re
import shutil
import subprocess
import sys
import sysconfig
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from python_support import clean_environment

# Imported by every interpreter of the environment, also those that pip starts: Python's headers are elsewhere.
HIDE_HEADERS = """
import sysconfig
get_path = sysconfig.get_path
sysconfig.get_path = lambda name, *rest, **more: "/nowhere" if name == "include" else get_path(name, *rest, **more)
"""


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """That of a fresh virtual environment."""
    folder = tmp_path_factory.mktemp("fresh") / "venv"
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True, env=clean_environment())
    return folder / "bin" / "python"


def pip_install(python: Path, repository: Path, **variables: str) -> list[str]:
    """The lines that it says, without those about pip itself."""
    command = [str(python), "-m", "pip", "--disable-pip-version-check", "install", str(repository)]
    result = subprocess.run(command, env=clean_environment(**variables), capture_output=True, text=True, timeout=240)
    assert result.returncode == 1, result.stdout
    assert "Failed to build" not in result.stderr  # nothing was begun
    return [line.strip() for line in result.stderr.split("\n") if not line.startswith(("WARNING", "["))]


def said(lines: list[str]) -> str:
    (line,) = (line for line in lines if line.startswith("hakmem: error: "))
    return line


def test_without_headers(python: Path, repository: Path) -> None:
    (site,) = python.parents[1].glob("lib/*/site-packages")
    hidden = site / "hide_headers.pth"
    hidden.write_text("import hide_headers\n")
    (site / "hide_headers.py").write_text(HIDE_HEADERS)
    try:
        lines = pip_install(python, repository)
    finally:
        hidden.unlink()
    line = said(lines)
    assert "Python's headers are missing (/nowhere/Python.h); install " in line
    packages = r" (python3|python3\.\d+)-dev \(Debian, Ubuntu\), \1-devel \(Fedora\) or python3-dev \(Alpine\)"
    assert re.search(packages, line)
    assert len(lines) < 20, lines
    assert "CMake Error" not in "".join(lines)


def test_without_a_compiler(python: Path, repository: Path, tmp_path: Path) -> None:
    line = said(pip_install(python, repository, PATH=str(tmp_path)))
    assert line == (
        "hakmem: error: there is no C compiler (cc); install build-essential (Debian, Ubuntu), gcc (Fedora)"
        " or build-base (Alpine)"
    )


@pytest.fixture
def backend(repository: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The module, on top of a scikit-build-core that only answers."""
    names = [
        "build_editable", "build_sdist", "build_wheel", "get_requires_for_build_editable",
        "get_requires_for_build_sdist", "get_requires_for_build_wheel", "prepare_metadata_for_build_editable",
        "prepare_metadata_for_build_wheel",
    ]  # fmt: skip
    stand_in = types.ModuleType("scikit_build_core")
    stand_in.build = types.ModuleType("scikit_build_core.build")  # type: ignore[attr-defined]
    for name in names:
        setattr(stand_in.build, name, lambda *words, name=name: [name])
    monkeypatch.setitem(sys.modules, "scikit_build_core", stand_in)
    monkeypatch.setitem(sys.modules, "scikit_build_core.build", stand_in.build)
    path = repository / "bindings" / "python" / "backend" / "hakmem_backend.py"
    specification = importlib.util.spec_from_file_location("hakmem_backend", path)
    assert specification
    assert specification.loader
    module = importlib.util.module_from_spec(specification)
    monkeypatch.setitem(sys.modules, "hakmem_backend", module)
    specification.loader.exec_module(module)
    assert set(names) == set(module.__all__)
    for variable in (*module.TOLD_TO_CMAKE, "CC"):
        monkeypatch.delenv(variable, raising=False)
    return module


HOOKS: list[Callable[[Any], Any]] = [
    lambda module: module.get_requires_for_build_wheel(),
    lambda module: module.get_requires_for_build_editable(),
    lambda module: module.build_wheel("x"),
    lambda module: module.build_editable("x"),
]


@pytest.mark.parametrize("hook", HOOKS)
def test_every_way_to_build_looks_first(backend: Any, monkeypatch: pytest.MonkeyPatch, hook: Any) -> None:
    assert hook(backend)
    monkeypatch.setattr(sysconfig, "get_path", lambda name: "/nowhere")
    with pytest.raises(SystemExit, match=r"Python's headers are missing \(/nowhere/Python\.h\); install python3"):
        hook(backend)
    assert backend.get_requires_for_build_sdist() == ["get_requires_for_build_sdist"]  # which needs none


@pytest.mark.parametrize("where", ["settings", "CMAKE_ARGS", "_PYTHON_HOST_PLATFORM"])
def test_cmake_that_was_told_is_left_alone(backend: Any, monkeypatch: pytest.MonkeyPatch, where: str) -> None:
    monkeypatch.setattr(sysconfig, "get_path", lambda name: "/nowhere")
    if where == "settings":
        backend.check_machine({"cmake.define.Python_INCLUDE_DIR": "/somewhere"})
    else:
        monkeypatch.setenv(where, "-DPython_INCLUDE_DIR=/somewhere")
        backend.check_machine(None)


@pytest.mark.parametrize(
    ("compiler", "text"),
    [
        ("nosuch-compiler -m64", r"there is no C compiler \(CC=nosuch-compiler -m64\); install build-essential"),
        ("false", r"the headers of the C library are missing \(stdlib\.h\); install .* glibc-devel .* musl-dev"),
        ("", r"there is no C compiler \(cc\) and Python's headers are missing .*; install build-essential python3"),
    ],
)
def test_compiler(backend: Any, monkeypatch: pytest.MonkeyPatch, compiler: str, text: str) -> None:
    if compiler:
        monkeypatch.setenv("CC", compiler)
    else:
        monkeypatch.setenv("PATH", "/nowhere")
        monkeypatch.setattr(sysconfig, "get_path", lambda name: "/nowhere")
    with pytest.raises(SystemExit, match=text):
        backend.check_machine(None)


def test_compiler_with_options(backend: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CC", f"{shutil.which('cc')} -O1")
    backend.check_machine(None)


def test_cmake_alone_names_the_package(repository: Path, tmp_path: Path) -> None:
    """Who builds by hand has no backend."""
    options = ["-DHAKMEM_BUILD_PYTHON=ON", "-DPython_INCLUDE_DIR=/nowhere", f"-DPython_EXECUTABLE={sys.executable}"]
    command = ["cmake", "-S", str(repository), "-B", str(tmp_path), "--log-level=ERROR", *options]
    result = subprocess.run(command, capture_output=True, text=True)
    assert result.returncode == 1
    told = " ".join(result.stderr.split())
    assert "Python's headers were not found. Install python3-dev (Debian, Ubuntu), python3-devel (Fedora)" in told
    assert "-DPython_INCLUDE_DIR=" in told
