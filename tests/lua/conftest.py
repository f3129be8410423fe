"""Fixtures of the Lua tests: the binding is built with the core's internal assertions, for each Lua that is here."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from lua_support import ABIS, Abi, Build, Host, Interpreter, binding_built, run


@pytest.fixture(scope="session")
def lua_build(repository: Path) -> Build:
    if shutil.which("cmake") is None:
        pytest.fail("cmake is not on PATH; `make test` puts it there")
    build = binding_built(repository)
    if build is None:
        pytest.skip("no Lua headers here (Debian: liblua5.4-dev)")
    return build


@pytest.fixture(params=ABIS, ids=lambda abi: abi.name)
def abi(request: pytest.FixtureRequest, lua_build: Build) -> Abi:
    """Each Lua in turn."""
    found: Abi = request.param
    if not lua_build.has(found):
        pytest.skip(f"no headers of {found.name} here (Debian: {found.packages})")
    return found


@pytest.fixture
def lua(abi: Abi, lua_build: Build) -> Interpreter:
    if shutil.which(abi.interpreter) is None:
        pytest.skip(f"{abi.interpreter} is not here (Debian: {abi.packages})")
    return Interpreter(abi, lua_build.module(abi))


@pytest.fixture(scope="session")
def program_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("host")


@pytest.fixture
def host(abi: Abi, lua_build: Build, program_folder: Path) -> Host:
    if run(["pkg-config", "--exists", abi.pkg_config]).returncode != 0:
        pytest.skip(f"no library of {abi.name} to link here (Debian: {abi.packages})")
    return Host(abi, lua_build, program_folder)
