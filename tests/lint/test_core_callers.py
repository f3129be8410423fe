"""A binding that may be the second one in its process calls the core through its table, or in the files that look which
core serves; other calls are found."""

from __future__ import annotations

import re
from pathlib import Path

import layers
import pytest
import symbols

# The files of a binding that may call the functions of hakmem.h, and the functions that any of them may call.
CALLERS = {"lua": {"serve.c", "serve.h"}, "python": set[str]()}
FREE_TO_CALL = {"hak_version"}  # that of the binding itself
# Its library is in the process before every other core, and the core in it serves.
FIRST = {"libc"}


def calls(text: str, declared: set[str]) -> list[str]:
    """The functions of hakmem.h that a file names, whether it calls them or hands them on."""
    code = layers.without_strings(layers.without_comments(text))
    return sorted(set(re.findall(r"\bhak_\w+", code)) & declared - FREE_TO_CALL)


def violations(bindings: Path, declared: set[str]) -> list[str]:
    found = []
    for source in sorted(bindings.glob("*/src/*.[ch]")):
        binding = source.parents[1].name
        if binding not in FIRST and source.name not in CALLERS.get(binding, set()):
            found += [f"{binding}/{source.name}: {name}" for name in calls(source.read_text("utf-8"), declared)]
    return found


def test_each_call_of_the_core_looks_which_one_serves(repository: Path) -> None:
    declared = symbols.declared_functions(repository / "core" / "include" / "hakmem.h")
    assert {"hak_malloc", "hak_trim", *FREE_TO_CALL} <= declared
    assert violations(repository / "bindings", declared) == []


def test_files_that_may_call_do(repository: Path) -> None:
    declared = symbols.declared_functions(repository / "core" / "include" / "hakmem.h")
    for binding, files in CALLERS.items():
        for name in files:
            text = (repository / "bindings" / binding / "src" / name).read_text("utf-8")
            assert calls(text, declared), f"{binding}/{name}"


@pytest.mark.parametrize(
    ("binding", "name", "text", "expected"),
    [
        ("lua", "state.c", "void f(void *block) { hak_free(block); }", ["lua/state.c: hak_free"]),
        ("lua", "serve.c", "void f(void *block) { hak_free(block); }", []),
        ("python", "hooks.c", "static const Row row = {hak_malloc, hak_free};",
         ["python/hooks.c: hak_free", "python/hooks.c: hak_malloc"]),
        ("python", "hooks.c", "/* hak_free */ void f(void) { core->free(hak_free_text); }", []),
        ("python", "hooks.c", 'const char *f(void) { return "hak_free"; }', []),
        ("ruby", "serve.c", "void f(void *block) { hak_free(block); }", ["ruby/serve.c: hak_free"]),
        ("libc", "malloc.c", "void f(void *block) { hak_free(block); }", []),
    ],
)  # fmt: skip
def test_planted_call_is_found(tmp_path: Path, binding: str, name: str, text: str, expected: list[str]) -> None:
    (tmp_path / binding / "src").mkdir(parents=True)
    (tmp_path / binding / "src" / name).write_text(text)
    assert violations(tmp_path, {"hak_free", "hak_malloc"}) == expected
