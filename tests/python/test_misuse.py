"""What an extension's misuse does in Python, as docs/python.md says it: a line, and the end; or a line alone."""

from __future__ import annotations

import re

import pytest
from python_support import DOMAINS, clean_environment, run_code

# `mem` is used wrongly below, as by an extension. Blocks in it are counted without those that counting makes itself.
PRELUDE = f"""{DOMAINS}
hakmem.enable()
mem = domains["mem"]
SIZE = 100
def fill(block):
    ctypes.memset(block, 7, SIZE)
def is_filled(block):
    return ctypes.string_at(block, SIZE) == bytes([7]) * SIZE
def is_live(block):
    taken = [mem.malloc(SIZE) for _ in range(2000)]  # all that is free and near
    for other in taken:
        mem.free(other)
    return block not in taken
block = mem.malloc(SIZE)
fill(block)
keeper = mem.malloc(SIZE)  # the slab stays one of live blocks
"""
DAMAGE = "ctypes.memset(block + 112, 1, 1)\n"  # whoever asks for 100 bytes may use 112
BEYOND = "corruption: 0x[0-9a-f]+ was written to beyond its end, at byte 112"


@pytest.mark.parametrize(
    ("misuse", "line", "then"),
    [
        (f"{DAMAGE}mem.free(block)", BEYOND, "not is_live(block)"),
        (f"{DAMAGE}moved = mem.realloc(block, 9000)", BEYOND, "is_filled(moved) and not is_live(block)"),
        ("mem.free(block); mem.free(block)", "double free of 0x", "not is_live(block)"),
        ("mem.free(block + 16)", "invalid free of 0x[0-9a-f]+: not the start of a block", "is_filled(block)"),
        (
            "mem.free(block); assert mem.realloc(block, 200) is None",
            "invalid free of 0x[0-9a-f]+: realloc of a freed block",
            "not is_live(block)",
        ),
    ],
    ids=["damaged, freed", "damaged, resized", "freed twice", "inside a block", "resized after its free"],
)
def test_misuse_is_one_line(misuse: str, line: str, then: str) -> None:
    """With on_error=report a damaged live block is freed, and what is not a live block is left alone."""
    code = f"{PRELUDE}\n{misuse}\nassert {then}\nmem.free(keeper)\nprint('goes on')"
    environment = clean_environment(HAKMEM_DEBUG="2", HAKMEM_ON_ERROR="report")
    reported = run_code(code, environment=environment)
    assert (reported.returncode, reported.stdout) == (0, "goes on\n"), reported.stderr
    assert re.fullmatch(f"hakmem: error: {line}[^\n]*\n", reported.stderr), reported.stderr
    ended = run_code(code, environment=clean_environment(HAKMEM_DEBUG="2"))
    assert (ended.returncode, ended.stdout) == (-6, "")
    assert re.match(f"hakmem: error: {line}", ended.stderr)


def test_a_damaged_block_is_not_found_without_the_option() -> None:
    result = run_code(f"{PRELUDE}\n{DAMAGE}mem.free(block)\nmem.free(keeper)", environment=clean_environment())
    assert (result.returncode, result.stderr) == (0, "")
