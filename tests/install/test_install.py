"""The installed C library is found by pkg-config and by find_package, from C and from C++, also after a move."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import zipfile
from pathlib import Path

import audit_wheel
import pytest

HERE = Path(__file__).resolve().parent

COMPILERS = {"c": ["cc", "-std=c11"], "c++": ["c++", "-x", "c++", "-std=c++11"]}

CONSUMER_CMAKE = """
cmake_minimum_required(VERSION 3.20)
project(consumer LANGUAGES C CXX)
find_package(hakmem 0.1 REQUIRED CONFIG)
foreach(library static shared)
    add_executable(c_${library} consumer.c)
    add_executable(cxx_${library} consumer.cc)
    target_link_libraries(c_${library} PRIVATE hakmem::${library})
    target_link_libraries(cxx_${library} PRIVATE hakmem::${library})
endforeach()
"""


def run(*command: str | Path, **options: object) -> str:
    result = subprocess.run([str(word) for word in command], capture_output=True, text=True, **options)
    assert result.returncode == 0, f"{' '.join(map(str, command))}\n{result.stdout}{result.stderr}"
    return result.stdout


@pytest.fixture(scope="module")
def prefix(c_library: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An installed tree that was moved after the installation."""
    directory = tmp_path_factory.mktemp("install")
    run("cmake", "--install", c_library, "--prefix", directory / "first")
    return shutil.move(directory / "first", directory / "moved to here")


def pkg_config(prefix: Path, *arguments: str) -> list[str]:
    (file,) = prefix.rglob("hakmem.pc")
    environment = {**os.environ, "PKG_CONFIG_PATH": str(file.parent)}
    # shlex, because pkg-config quotes the spaces in the path.
    return shlex.split(run("pkg-config", *arguments, "hakmem", env=environment))


@pytest.mark.parametrize("language", COMPILERS)
@pytest.mark.parametrize("library", ["static", "shared"])
def test_pkg_config(prefix: Path, tmp_path: Path, language: str, library: str) -> None:
    program = tmp_path / "consumer"
    warnings = ["-Wall", "-Wextra", "-Wpedantic", "-Wundef", "-Werror"]
    compile_flags = pkg_config(prefix, "--cflags")
    link_flags = pkg_config(prefix, "--libs", *(["--static"] if library == "static" else []))
    if library == "static":
        link_flags = ["-l:libhakmem.a" if flag == "-lhakmem" else flag for flag in link_flags]
    run(*COMPILERS[language], *warnings, *compile_flags, HERE / "consumer.c", "-o", program, "-x", "none", *link_flags)
    (archive,) = prefix.rglob("libhakmem.a")
    run(program, env={**os.environ, "LD_LIBRARY_PATH": str(archive.parent)})


def test_find_package(prefix: Path, tmp_path: Path) -> None:
    (tmp_path / "CMakeLists.txt").write_text(CONSUMER_CMAKE)
    shutil.copy(HERE / "consumer.c", tmp_path / "consumer.c")
    shutil.copy(HERE / "consumer.c", tmp_path / "consumer.cc")
    build = tmp_path / "build"
    run("cmake", "-S", tmp_path, "-B", build, f"-DCMAKE_PREFIX_PATH={prefix}")
    run("cmake", "--build", build)
    for program in ("c_static", "cxx_static", "c_shared", "cxx_shared"):
        run(build / program)


def test_shared_library_has_a_soname(prefix: Path) -> None:
    (library,) = (path for path in prefix.rglob("libhakmem.so") if path.is_symlink())
    assert "Library soname: [libhakmem.so.0]" in run("readelf", "--dynamic", library)


def test_pkg_config_knows_the_version(prefix: Path) -> None:
    header = (prefix / "include" / "hakmem.h").read_text()
    (version,) = pkg_config(prefix, "--modversion")
    assert f'#define HAK_VERSION_STRING "{version}"' in header


def test_planted_findings_of_the_wheel_audit(tmp_path: Path) -> None:
    source = tmp_path / "extension.c"
    source.write_text(
        "double pow(double, double);\n"
        "double PyInit_x, stray_name;\n"
        "static double f(void) { return pow(stray_name, 2); }\n"
        "double (*PyInit_y)(void) = f;\n"
    )
    extension = tmp_path / "extension.so"
    run("cc", "-shared", "-fPIC", "-Wl,--no-as-needed", source, "-o", extension, "-lm")
    wheel = tmp_path / "hakmem-0.1.0-cp311-cp311-linux_x86_64.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.write(extension, "hakmem/_x.so")
        archive.write(extension, "hakmem/libhakmem-malloc.so")
        archive.write(extension, "hakmem/third.so")
        archive.writestr("hakmem/__init__.py", "")
        archive.writestr("hakmem/hooks.c", "")
    findings = "\n".join(audit_wheel.audit(wheel))
    assert "hakmem/_x.so exports stray_name" in findings
    assert "hakmem/_x.so needs libm.so.6" in findings
    assert "hakmem/libhakmem-malloc.so exports PyInit_x" in findings
    assert "there is hakmem/_x.so hakmem/libhakmem-malloc.so hakmem/third.so" in findings
    assert "unexpected file hakmem/hooks.c" in findings
    assert "hakmem/py.typed is missing" in findings
    assert "_x.so exports PyInit_x" not in findings
