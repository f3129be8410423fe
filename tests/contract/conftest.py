"""The bindings and what they meet, as fixtures."""

from __future__ import annotations

from pathlib import Path

import pytest
from contract_support import DOMAINS, FOLDER, LUAS, REPOSITORY, Binding, Libc, Lua, Python, compile_c
from lua_support import binding_built, run


@pytest.fixture(scope="session")
def folder_of(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("contract")


@pytest.fixture
def binding(request: pytest.FixtureRequest, folder_of: Path) -> Binding:
    """The parameter is a name of names_of."""
    name: str = request.param
    folder = folder_of / ("python" if name in DOMAINS else name)
    folder.mkdir(exist_ok=True)
    if name in DOMAINS:
        return Python(folder, DOMAINS[name])
    if name == "libc":
        c_library: Path = request.getfixturevalue("c_library")
        return Libc(folder, library=c_library / "bindings" / "libc" / "libhakmem-malloc.so")
    abi, built = LUAS[name], binding_built(REPOSITORY)
    if built is None or not built.has(abi) or run(["pkg-config", "--exists", abi.pkg_config]).returncode != 0:
        pytest.skip(f"no headers, or no library to link, of {name} here (Debian: {abi.packages})")
    return Lua(folder, name=abi.pkg_config, module=built.module(abi))


@pytest.fixture(scope="session")
def other_malloc(folder_of: Path) -> Path:
    """A malloc to preload."""
    return compile_c(folder_of / "libpassing.so", "-shared", "-fPIC", FOLDER / "passing_malloc.c")


@pytest.fixture(scope="session")
def other_core(c_library: Path, folder_of: Path) -> Path:
    """A module with a core inside, as another binding."""
    linker_script = folder_of / "other.map"
    linker_script.write_text("{ global: hak_published; Init_binding; local: *; };\n")
    options = ["-shared", "-fPIC", f"-Wl,--version-script={linker_script}", "-Wl,-Bsymbolic", "-Wl,-z,nodelete"]
    source = REPOSITORY / "tests" / "rendezvous" / "binding.c"
    return compile_c(folder_of / "other.so", *options, source, c_library / "core" / "libhakmem.a")


@pytest.fixture(scope="session")
def other_version(folder_of: Path) -> Path:
    """An object with a core of another version, which serves."""
    source = REPOSITORY / "tests" / "rendezvous" / "stranger.c"
    return compile_c(folder_of / "stranger.so", "-shared", "-fPIC", "-DSTRANGER_IS_STARTED=1", source)
