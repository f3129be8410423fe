"""What `cmake --install` puts down: hakmem-exec beside its library, a file for pkg-config, a CMake target."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from libc_support import PROGRAMS, Library, clean_environment, output_of, run

CONSUMER_CMAKE = f"""
cmake_minimum_required(VERSION 3.20)
project(consumer LANGUAGES C)
find_package(hakmem 0.1 REQUIRED CONFIG)
add_executable(consumer "{PROGRAMS / "contract.c"}")
target_link_libraries(consumer PRIVATE hakmem::malloc)
"""


@pytest.fixture(scope="module")
def prefix(library: Library, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Moved after the installation."""
    folder = tmp_path_factory.mktemp("installed")
    subprocess.run(["cmake", "--install", library.build, "--prefix", folder / "first"], check=True, capture_output=True)
    return shutil.move(folder / "first", folder / "moved")


def require_served(result: subprocess.CompletedProcess[str]) -> None:
    assert result.returncode == 0, result.stderr
    assert "requests served" in result.stderr


def test_launcher_finds_the_library(prefix: Path) -> None:
    require_served(run(prefix / "bin" / "hakmem-exec", "--stats", "true"))


def test_pkg_config(prefix: Path, tmp_path: Path) -> None:
    (file,) = prefix.rglob("hakmem-malloc.pc")
    flags = output_of(run("pkg-config", "--libs", "hakmem-malloc", PKG_CONFIG_PATH=str(file.parent))).split()
    program = tmp_path / "consumer"
    subprocess.run(["cc", "-pthread", PROGRAMS / "contract.c", "-o", program, *flags], check=True)
    (library,) = prefix.rglob("libhakmem-malloc.so")
    listed = output_of(run("ldd", program, LD_LIBRARY_PATH=str(library.parent)))
    assert str(library) in listed
    output_of(run(program, LD_LIBRARY_PATH=str(library.parent)))


def test_find_package(prefix: Path, tmp_path: Path) -> None:
    (tmp_path / "CMakeLists.txt").write_text(CONSUMER_CMAKE)
    build = tmp_path / "build"
    for command in (["-S", tmp_path, "-B", build, f"-DCMAKE_PREFIX_PATH={prefix}"], ["--build", build]):
        subprocess.run(["cmake", *command], check=True, capture_output=True, env=clean_environment())
    output_of(run(build / "consumer"))
