"""Which files of CPython's test suite are run."""

from __future__ import annotations

import subprocess

# A representative part, minutes instead of an hour: what allocates most and in the most different ways, the collector,
# threads, processes, sub-interpreters, buffers, extension modules, and every test that inspects the allocator.
REPRESENTATIVE = """
test_array test_ast test_asyncgen test_atexit test_audit test_bigmem test_buffer test_builtin test_bytes test_call
test_capi test_class test_cmd_line test_code test_collections test_compile test_complex test_concurrent_futures
test_context test_copy test_coroutines test_ctypes test_csv test_dataclasses test_decimal test_deque test_descr
test_dict test_embed test_enum test_exceptions test_faulthandler test_finalization test_float test_fork1 test_format
test_frame test_functools test_gc test_generators test_heapq test_importlib test_inspect test_interpreters test_io
test_itertools test_json test_kqueue test_list test_long test_lru_cache test_mailbox test_marshal test_memoryview
test_mmap test_multiprocessing_forkserver test_named_expressions test_operator test_ordered_dict test_os test_pickle
test_posix test_pyexpat test_queue test_random test_range test_re test_readline test_repl test_richcmp test_sched
test_set test_shelve test_signal test_slice test_sort test_sqlite3 test_str test_struct test_structseq
test_subprocess test_super test_symtable test_sys test_sys_settrace test_syntax test_tempfile test_thread
test_threadedtempfile test_threading test_threading_local test_tokenize test_traceback test_tracemalloc test_tuple
test_types test_typing test_unicode test_unittest test_userdict test_uuid test_weakref test_weakset test_xml_etree
test_xml_etree_c test_zipfile test_zlib test_zoneinfo
"""


def all_modules(python: str) -> list[str]:
    """Every test file that this Python has, by its own account."""
    code = "from test.libregrtest import findtests as f; print(*sorted(getattr(f, 'findtests')()))"
    old = "from test.libregrtest.runtest import findtests; print(*sorted(findtests()))"
    for attempt in (code, old):
        done = subprocess.run([python, "-c", attempt], capture_output=True, text=True)
        if done.returncode == 0:
            return done.stdout.split()
    raise SystemExit(f"error: {python} has no test suite: {done.stderr.strip().splitlines()[-1]}")


def representative_modules(python: str) -> list[str]:
    available = set(all_modules(python))
    # Newer versions have packages of tests where older ones have one file: test_asyncio.test_tasks.
    return [
        name for name in REPRESENTATIVE.split() if name in available or any(a.startswith(f"{name}.") for a in available)
    ]
