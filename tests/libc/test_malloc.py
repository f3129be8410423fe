"""malloc of the whole process: glibc's contract, the first and the last request, children, sandboxes, namespaces.
Each program is run on the C library's own malloc, too."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from libc_support import Library, Programs, output_of, run

DEBUG_LEVELS = ("0", "1", "2")
FORKING = ["forks", "forks_and_streams", "forks_in_handler"]
# `make test-programs` asks for 1000.
FORKS = int(os.environ.get("FORKS", "250"))


@pytest.mark.parametrize("name", ["contract", "first_and_last", "dlerror", "namespaces", "cancelled"])
def test_program_holds_on_the_c_library(programs: Programs, name: str) -> None:
    output_of(run(programs(name)))


@pytest.mark.parametrize("debug", DEBUG_LEVELS)
@pytest.mark.parametrize("name", ["contract", "first_and_last", "dlerror", "cancelled"])
def test_program_holds(library: Library, programs: Programs, name: str, debug: str) -> None:
    output_of(library.run(programs(name), HAKMEM_DEBUG=debug))


@pytest.mark.parametrize("name", ["contract", "first_and_last", "dlerror"])
def test_program_holds_with_assertions(library_with_checks: Library, programs: Programs, name: str) -> None:
    output_of(library_with_checks.run(programs(name)))


def test_malloc_is_served(library: Library, programs: Programs) -> None:
    """The other tests here would pass without the library."""
    result = library.exec("--stats", programs("contract"))
    assert result.returncode == 0, result.stderr
    served = next(line for line in result.stderr.splitlines() if "requests served" in line)
    assert int(served.split()[-1]) > 500


@pytest.mark.parametrize("name", FORKING)
def test_children(library: Library, programs: Programs, name: str) -> None:
    """Of busy threads; beside threads that hold streams; of a signal handler that interrupts malloc, free and fork."""
    program = programs(name)
    output_of(run(program, "50"))
    output_of(library.run(program, str(FORKS)))


@pytest.mark.parametrize("name", FORKING)
def test_children_with_assertions(library_with_checks: Library, programs: Programs, name: str) -> None:
    output_of(library_with_checks.run(programs(name), "50"))


def test_sandbox_that_allows_what_malloc_needs(library: Library, programs: Programs) -> None:
    program = programs("sandbox")
    output_of(run(program))
    output_of(library.run(program, HAKMEM_SYSTEM_CALLS="plain"))
    assert library.run(program).returncode == -31, "SIGSYS: the option is not needed any more"


def test_user_namespace_needs_one_thread(library: Library, programs: Programs) -> None:
    on_stock = output_of(run(programs("namespaces")))
    assert output_of(library.run(programs("namespaces"))) == on_stock


def test_library_is_found_by_runpath_and_deep_binding_is_masked(
    library: Library, programs: Programs, tmp_path: Path
) -> None:
    """dlopen takes the asking library from the return address. A deeply bound module frees by another malloc."""
    programs("answerer", "-shared", "-fPIC", output="libfound_by_runpath.so")
    runpath = f"-Wl,-rpath,{programs.folder},--enable-new-dtags"
    asker = programs("asker", "-shared", "-fPIC", runpath, output="libasker.so")
    module = programs("module", "-shared", "-fPIC", output="libmodule.so")
    program = programs("loads")
    output_of(run(program, asker, module))
    output_of(library.run(program, asker, module))
    kept = library.run(program, asker, module, HAKMEM_DEEPBIND="keep")
    assert kept.returncode != 0, "nothing would show if the flag were not masked"
