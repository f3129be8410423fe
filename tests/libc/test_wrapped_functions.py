"""malloc beside another preloaded library that wraps functions of the C library: it allocates there, and may stop the
clocks."""

from __future__ import annotations

from pathlib import Path

import pytest
from libc_support import Library, Programs, output_of, run

WRAPPERS = {"allocates": [], "stops_clocks": ["-DSTOPPED_CLOCK"]}
ORDERS = ["wrapper_first", "wrapper_last"]


@pytest.fixture(params=WRAPPERS)
def wrapper(programs: Programs, request: pytest.FixtureRequest) -> Path:
    return programs("wrapper", "-shared", "-fPIC", *WRAPPERS[request.param], output=f"lib{request.param}.so")


def preloaded(library: Library, wrapper: Path, order: str) -> str:
    files = [str(wrapper), str(library.file)]
    return ":".join(files if order == "wrapper_first" else reversed(files))


def test_program_holds_on_the_c_library(programs: Programs, wrapper: Path) -> None:
    """Which does not promise to give memory back."""
    output_of(run(programs("wrapped"), LD_PRELOAD=str(wrapper)))


@pytest.mark.parametrize("order", ORDERS)
def test_process_starts(library: Library, wrapper: Path, order: str) -> None:
    output_of(run("true", LD_PRELOAD=preloaded(library, wrapper, order)))


@pytest.mark.parametrize("order", ORDERS)
def test_program_holds(library: Library, programs: Programs, wrapper: Path, order: str) -> None:
    output_of(run(programs("wrapped"), "returning", LD_PRELOAD=preloaded(library, wrapper, order)))


@pytest.mark.parametrize("order", ORDERS)
def test_program_holds_with_assertions(
    library_with_checks: Library, programs: Programs, wrapper: Path, order: str
) -> None:
    output_of(run(programs("wrapped"), "returning", LD_PRELOAD=preloaded(library_with_checks, wrapper, order)))
