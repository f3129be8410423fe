"""The machine of tests/core/machine has a function of its own for each of platform/os.h; one that it lacks is found."""

from __future__ import annotations

import re
from pathlib import Path

# As they are: they ask nothing that a stream could decide.
NOT_REPLACED = {"os_objects_ask", "os_abort", "os_fault_at", "os_fault_calls"}


def declared(header: str) -> set[str]:
    """The functions that a port implements: declared and not inline."""
    code = re.sub(r"/\*.*?\*/", "", header, flags=re.DOTALL)
    return set(re.findall(r"^(?!HAK_INLINE)[a-z_][\w *]*?\b(os_\w+)\([^{}]*?\);", code, re.MULTILINE | re.IGNORECASE))


def not_replaced(header: str, build_file: str) -> list[str]:
    calls = re.search(r"set\(machine_calls(.*?)\)", build_file, re.DOTALL)
    assert calls is not None
    return sorted(declared(header) - set(calls[1].split()) - NOT_REPLACED)


def test_each_call_of_the_system_is_the_machines(repository: Path) -> None:
    header = (repository / "core" / "src" / "platform" / "os.h").read_text("utf-8")
    build_file = (repository / "tests" / "core" / "machine" / "CMakeLists.txt").read_text("utf-8")
    assert {"os_map", "os_thread_id", *NOT_REPLACED} <= declared(header)
    assert not_replaced(header, build_file) == []


def test_a_call_that_is_not_replaced_is_found() -> None:
    header = "bool os_new(void *address,\n            size_t bytes);\nHAK_INLINE int os_inline(int a) { return a; }\n"
    assert not_replaced(header, "set(machine_calls os_map os_unmap)") == ["os_new"]
