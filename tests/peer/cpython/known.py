"""The tests of CPython that look at the allocator itself, and why each ends differently under hakmem.

The names are those of the report: file, then class and method. A difference that is not listed here is a failure of
hakmem's; one that is listed and no longer there is named, too, so that the list stays true.
"""

from __future__ import annotations

from peer.compare import Listed

NAME_OF_ALLOCATOR = "asks a child for the name of its allocator; CPython has no name for a hook"
DEBUG_HOOKS = (
    "misuses memory in a child with PYTHONMALLOC=debug and waits for the debug hooks' fatal error; they lie below "
    "hakmem and see no block that it serves (HAKMEM_DEBUG=2 is hakmem's own)"
)
DEBUG_HOOKS_TESTS = [
    "api_misuse",
    "buffer_overflow",
    "pymem_malloc_without_gil",
    "pyobject_forbidden_bytes_is_freed",
    "pyobject_freed_is_freed",
    "pyobject_malloc_without_gil",
    "pyobject_uninitialized_is_freed",
]

KNOWN = {
    "test_cmd_line CmdLineTest.test_pythonmalloc": NAME_OF_ALLOCATOR,
    "test_cmd_line CmdLineTest.test_xdev": NAME_OF_ALLOCATOR,
    "test_warnings PyWarningsDisplayTests.test_tracemalloc": (
        "compares the stderr of a child that starts with -X tracemalloc, where hakmem's startup file says that it is "
        "not enabled, and why"
    ),
    "test_external_inspection TestGetStackTrace.test_self_trace": (
        "3.13.0 reads /proc/self/maps itself and, with mappings of hakmem's below the libraries, takes one of them for "
        "libpython; get_stack_trace finds no interpreter there"
    ),
    "test_sys SysModuleTest.test_debugmallocstats": (
        "expects pymalloc's table of arenas to show small blocks; hakmem serves them"
    ),
    **{
        f"test_capi PyMem{allocator}DebugTests.test_{name}": DEBUG_HOOKS
        for allocator in ("", "Malloc", "Pymalloc", "Mimalloc")
        for name in DEBUG_HOOKS_TESTS
    },
}

# Tests that end now one way, now the other, with or without hakmem, on a busy machine: time limits and ports.
UNSTEADY: dict[str, str] = {}

LISTED = Listed(KNOWN, UNSTEADY)
