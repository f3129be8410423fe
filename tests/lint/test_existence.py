"""What comments and pages name exists here; planted names of what does not are found, those of what does are not."""

from __future__ import annotations

from pathlib import Path

import existence
import pytest


def test_what_comments_and_pages_name_exists(repository: Path) -> None:
    violations = existence.check(repository)
    assert not violations, "\n".join(violations)


def plant(root: Path, name: str, text: str) -> None:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A small tree; what exists in it is named below."""
    plant(tmp_path, "core/src/heap/heap.c", "int heap_free(HeapClass *class) { return MAGAZINE_BLOCKS_MAX; }\n")
    plant(tmp_path, "core/src/heap/heap.h", '#define TEXT "in_a_string"\n')
    plant(tmp_path, "core/src/platform/option.h", "#define TABLE(ROW) ROW(purge_delay, PURGE_DELAY, 1)\n")
    plant(tmp_path, "core/include/hakmem.h", "")
    plant(tmp_path, "bindings/python/hakmem/cli/run.py", 'def run_it(): return "json_key"\n')
    plant(tmp_path, "bindings/lua/records.lua", "local lua_name = 1\n")
    plant(tmp_path, "tests/core/unit/test_heaps.c", "")
    plant(tmp_path, "tests/core/fuzz/fuzz-for", "shell_name=1\n")
    plant(tmp_path, "tests/lint/test_x.py", 'def own_name(): return "planted_name"\n')
    return tmp_path


def check(tree: Path, identifiers: str = "", files: str = "") -> list[str]:
    return existence.check(tree, {"others'": identifiers}, {"others'": files})


EXISTING = [
    "heap_free, heap_free() and `heap_free`",
    "MAGAZINE_BLOCKS_MAX",
    "in_a_string json_key run_it lua_name shell_name own_name",
    "HAKMEM_PURGE_DELAY",
    "test_heaps fuzz-for",
    "heap_* heap_... MAGAZINE_*",
    "-DMAGAZINE_BLOCKS_MAX",
    "https://example.org/no_such/no_such.c",
    "heap.c: test_heaps.c; (hakmem.h) run.py.",
    "heap/heap.c core/src/heap/heap.c cli/run.py hakmem/cli/run.py tests/core/unit/test_heaps.c",
    "../../include/hakmem.h ./heap.c",
    "heap*.c <layer>/heap.c heap/NAME.c core/src/*/heap.h",
    "build/made/x.c <pthread.h>",
    "tests/core/fuzz/fuzz-for, core/src/heap/ and bindings/python",
    "HeapClass, heap-free",
]

MISSING = [
    ("heap_free_direct", "identifier heap_free_direct"),
    ("heap_free_direct()", "identifier heap_free_direct"),
    ("spare -supply_release-> (unmapped)", "identifier supply_release"),
    ("sum of (mallocs - frees), plus heap_retired", "identifier heap_retired"),
    ("heap->heap_retired[0 .. n)", "identifier heap_retired"),
    ("MAGAZINE_BLOCKS", "identifier MAGAZINE_BLOCKS"),
    ("HAKMEM_PURGE", "identifier HAKMEM_PURGE"),
    ("slab_*", "identifier slab_"),
    ("PyMem_Nothing", "identifier PyMem_Nothing"),
    ("planted_name", "identifier planted_name"),
    ("verified by api/check.c and", "file api/check.c"),
    ("the lock of heap/start.c;", "file heap/start.c"),
    ("see start.c.", "file start.c"),
    ("purge*.c", "file purge*.c"),
    ("slab/NAME.c", "file slab/NAME.c"),
    ("../hakmem.h", "file ../hakmem.h"),
    ("core/src/heap/heap_free.h", "file core/src/heap/heap_free.h"),
    ("core/src/retention/", "folder core/src/retention"),
    ("tests/core/fuzz/fuzz-on", "folder tests/core/fuzz/fuzz-on"),
]


@pytest.mark.parametrize("text", EXISTING)
@pytest.mark.parametrize(
    ("namer", "form"),
    [
        ("core/src/heap/x.c", "/* A job.\n * {} */\n"),
        ("core/src/heap/x.py", '"""A job.\n\n{}\n"""\n'),
        ("core/src/heap/x.md", "# A page\n\n{}\n"),
    ],
)
def test_what_exists_is_not_found(tree: Path, namer: str, form: str, text: str) -> None:
    plant(tree, namer, form.format(text))
    assert check(tree) == []


@pytest.mark.parametrize(("text", "expected"), MISSING)
@pytest.mark.parametrize(
    ("namer", "form", "line"),
    [
        ("core/src/heap/x.c", "int x; /* A job.\n * {} */\n", 2),
        ("tests/core/unit/x.h", "int x;\n// {}\n", 2),
        ("swig/x.i", "/* {} */\n", 1),
        ("tests/model/x.pml", "/* A job. */\n#define X 1 /* {} */\n", 2),
        ("bindings/python/hakmem/x.py", '"""{}"""\n', 1),
        ("bindings/python/hakmem/x.py", 'def f():\n    """A job.\n\n    {}\n    """\n', 4),
        ("bindings/python/hakmem/x.py", "x = 1  # {}\n", 1),
        ("bindings/python/hakmem/x.py", "x = '''\n'''\n# {}\n", 3),
        ("docs/x.md", "# A page\n\nSee `{}`.\n", 3),
        ("docs/x.md", "# A page\n\n```\n{}\n```\n", 4),
        ("cmake/x.cmake", "set(x)\n# {}\n", 2),
        ("demo/x.lua", "-- {}\n", 1),
    ],
)
def test_planted_name_is_found(tree: Path, namer: str, form: str, line: int, text: str, expected: str) -> None:
    plant(tree, namer, form.format(text))
    assert check(tree) == [f"{namer}:{line}: there is no {expected}"]


@pytest.mark.parametrize(
    ("namer", "text", "is_found"),
    [
        ("core/src/heap/x.c", "/* a TinySlabMeta */\n", True),
        ("docs/x.md", "a `TinySlabMeta *`\n", True),
        ("docs/x.md", "a TinySlabMeta in prose, as LuaRocks\n", False),
        ("x.py", "# LuaRocks\n", False),
        ("core/src/heap/x.c", "/* HeapClass */\n", False),
    ],
)
def test_types_are_looked_for_where_code_is_meant(tree: Path, namer: str, text: str, is_found: bool) -> None:
    plant(tree, namer, text)
    assert check(tree) == ([f"{namer}:1: there is no identifier TinySlabMeta"] if is_found else [])


def test_files_are_named_from_the_folders_above(tree: Path) -> None:
    plant(tree, "tests/core/death/x.c", "/* unit/test_heaps.c core/unit/test_heaps.c ../unit/test_heaps.c */\n")
    assert check(tree) == []
    plant(tree, "demo/x.c", "/* unit/test_heaps.c */\n")
    assert check(tree) == ["demo/x.c:1: there is no file unit/test_heaps.c"]


def test_code_is_no_comment(tree: Path) -> None:
    plant(tree, "core/src/heap/x.c", 'int only_code(void) { return f("no/such.c"); }\n')
    plant(tree, "demo/x.py", 'only_name = "no/such.c"\n')
    plant(tree, "CHANGELOG.md", "`gone_name` of gone.c\n")
    assert check(tree) == []


def test_what_belongs_to_others_is_known_while_it_is_named(tree: Path) -> None:
    plant(tree, "core/src/heap/x.c", "/* process_madvise in mm/madvise.c */\n")
    assert check(tree, "process_madvise", "mm/madvise.c") == []
    assert check(tree, "process_madvise heap_free never_named", "mm/madvise.c heap.c") == [
        "existence.py: heap_free is known as a foreign identifier; nothing names it",
        "existence.py: never_named is known as a foreign identifier; nothing names it",
        "existence.py: heap.c is known as a foreign file; nothing names it",
    ]
