"""The include and call rules of layers.py hold here, and each rule is seen to find a planted violation."""

from __future__ import annotations

from pathlib import Path

import layers
import pytest


def test_repository_follows_the_rules(repository: Path) -> None:
    assert layers.check(repository) == []


def test_core_has_sources_in_every_layer(repository: Path) -> None:
    core = repository / "core" / "src"
    layers_with_sources = {path.relative_to(core).parts[0] for path in layers.sources(core)}
    assert layers_with_sources == set(layers.LAYERS)


@pytest.fixture
def clean_tree(tmp_path: Path) -> Path:
    """A small tree in which everything is allowed."""
    plant(tmp_path, "core/src/base/base.h", "#include <stdint.h>\n")
    plant(tmp_path, "core/src/platform/os.h", '#include "base/base.h"\n')
    os_code = '#include "platform/os.h"\n#include <sys/mman.h>\nint x = write(2);\n'
    plant(tmp_path, "core/src/platform/linux/os_memory.c", os_code)
    plant(tmp_path, "core/src/platform/message.h", '#include "base/base.h"\n')
    plant(tmp_path, "core/src/platform/message.c", '#include "platform/message.h"\nvoid f() { os_write_error(1); }\n')
    plant(tmp_path, "core/src/platform/option.c", '#include "base/base.h"\nchar *f() { return getenv("X"); }\n')
    plant(tmp_path, "core/src/heap/heap.h", '#include "platform/os.h"\n')
    plant(
        tmp_path,
        "core/src/heap/heap.c",
        '#include "heap/heap.h"\n/* free(p) is like printf() */\nint i = hak_free(p);\n',
    )
    plant(tmp_path, "bindings/python/src/hooks.c", '#include <Python.h>\n#include "own.h"\n#include <hakmem.h>\n')
    plant(tmp_path, "bindings/python/src/own.h", "#include <hakmem.h>\n")
    plant(tmp_path, "tests/core/unit/test_heap.c", '#include "heap/heap.h"\n')
    plant(tmp_path, "tests/core/machine/os_calls.c", '#include "platform/os.h"\n')
    plant(tmp_path, "tests/core/death/test_free.c", "#include <hakmem.h>\n#include <sys/wait.h>\n")
    return tmp_path


def plant(root: Path, name: str, text: str) -> None:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def test_clean_tree_has_no_violations(clean_tree: Path) -> None:
    assert layers.check(clean_tree) == []


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("core/src/base/up.h", '#include "heap/heap.h"\n', "base/up.h:1: layer base includes"),
        ("core/src/platform/up.c", '\n  #  include "heap/heap.h"\n', "platform/up.c:2: layer platform includes"),
        ("core/src/misc/x.c", "int x;\n", "misc is not a layer"),
        ("core/src/heap/x.c", '#include "heap.h"\n', 'heap/x.c:1: "heap.h" is not of the form'),
        ("core/src/heap/x.c", '#include "heap/missing.h"\n', "is not of the form"),
        ("core/src/heap/x.c", "#include <pthread.h>\n", "heap/x.c:1: <pthread.h> is an OS header"),
        ("core/src/platform/message.c", "#include <unistd.h>\n", "<unistd.h> is an OS header"),
        ("core/src/heap/os.c", "#include <unistd.h>\n", "<unistd.h> is an OS header"),
        ("core/src/heap/heap.c", '#include <string.h>\n#include "heap/heap.h"\n', "own header"),
        ("core/src/heap/x.c", 'char *f() { return getenv("X"); }\n', "heap/x.c:1: getenv() reads the environment"),
        ("core/src/heap/x.c", '/* a */\n\nint f() { return printf ("x"); }\n', "heap/x.c:3: printf() prints"),
        ("core/src/heap/x.c", "int f() { return vsnprintf(b); }\n", "vsnprintf() prints"),
        ("core/src/platform/option.c", "int f() { os_write_error(b); }\n", "os_write_error() prints"),
        (
            "core/src/platform/message.c",
            "#include <errno.h>\nint f() { write(2); }\n",
            "write() writes to a descriptor",
        ),
        ("core/src/heap/x.c", "void *f() { return malloc(1); }\n", "malloc() allocates through the C library"),
        ("bindings/lua/x.c", '#include "heap/heap.h"\n', "bindings/lua/x.c:1: heap/heap.h belongs to the core"),
        ("bindings/lua/x.c", '#include "../../core/src/heap/heap.h"\n', "belongs to the core"),
        ("tests/core/death/x.c", '#include "base/base.h"\n', "tests/core/death/x.c:1: base/base.h belongs to the core"),
    ],
)
def test_planted_violation_is_found(clean_tree: Path, name: str, text: str, expected: str) -> None:
    plant(clean_tree, name, text)
    assert any(expected in violation for violation in layers.check(clean_tree)), layers.check(clean_tree)


def test_planted_header_cycle_is_found(clean_tree: Path) -> None:
    plant(clean_tree, "core/src/heap/a.h", '#include "heap/b.h"\n')
    plant(clean_tree, "core/src/heap/b.h", '#include "heap/a.h"\n')
    assert layers.check(clean_tree) == ["headers include each other: heap/a.h -> heap/b.h -> heap/a.h"]
