"""What the tests of all folders share: where the repository is, and a release build of the C library."""

from __future__ import annotations

import shutil
import signal
import subprocess
from pathlib import Path

import pytest

# A shell's background job ignores some signals, and so would every program that a test starts to interrupt it.
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGQUIT, signal.SIG_DFL)
signal.signal(signal.SIGHUP, signal.SIG_DFL)


@pytest.fixture(scope="session")
def repository() -> Path:
    return Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def c_library(repository: Path) -> Path:
    """The build directory of libhakmem.a and libhakmem.so as `cmake -S . -B ...` builds them by default."""
    return build_c_library(repository, "release")


@pytest.fixture(scope="session")
def c_library_with_checks(repository: Path) -> Path:
    """The same with internal assertions."""
    return build_c_library(repository, "release-checks", "-DHAKMEM_DEBUG_CHECKS=ON")


@pytest.fixture(scope="session")
def os_faults(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The library that lets OS calls of a program fail which preloads it."""
    library = tmp_path_factory.mktemp("faults") / "os_faults.so"
    source = repository / "tests" / "faults" / "os_faults.c"
    result = subprocess.run(
        ["cc", "-O1", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", "-o", str(library), str(source)],
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stderr
    return library


def build_c_library(repository: Path, name: str, *options: str) -> Path:
    if shutil.which("cmake") is None:
        pytest.fail("cmake is not on PATH; `make test` puts it there")
    build = repository / "build" / name
    configure = ["cmake", "-S", str(repository), "-B", str(build), "-DHAKMEM_WERROR=ON", "--log-level=WARNING"]
    for command in ([*configure, *options], ["cmake", "--build", str(build), "--parallel", "2"]):
        result = subprocess.run(command, capture_output=True, text=True)
        if result.returncode != 0:
            pytest.fail(f"{' '.join(command)}\n{result.stdout}{result.stderr}", pytrace=False)
    return build
