"""The C library's functions that libhakmem-malloc.so calls. One that allocates comes back into malloc, so it must not
be called while a lock is held or the core is starting. A new call belongs into one of the two lists: into the first one
also where other preloaded libraries wrap the function, and allocate there (test_wrapped_functions.py)."""

from __future__ import annotations

import subprocess

import pytest
from libc_support import Library, Programs, output_of, run

# Where each is called, and why that is safe.
MAY_ALLOCATE = {
    "pthread_create": "retention/helper.c, without its lock",
    "pthread_setspecific": "lifecycle/thread.c, once the thread has its heap",
    "pthread_atfork": "lifecycle/start.c, by a constructor",
    "dlsym": "bindings/libc: for a block of the C library's own, for dlopen, and by a constructor",
    "dladdr": "bindings/libc: process.c and follow.c, by a constructor",
    "PyMem_GetAllocator": "bindings/libc/src/interpreter.c, by a constructor; weak",
    "PyMem_SetAllocator": "the same",
    **dict.fromkeys(
        ("Py_IsInitialized", "PySys_AddAuditHook", "PyImport_ImportModule", "PyObject_CallMethod", "Py_DecRef"),
        "bindings/libc/src/interpreter_start.c, before a request is the core's, and when the program begins; weak",
    ),
    **dict.fromkeys(("PyErr_ExceptionMatches", "PyErr_Clear", "PyExc_Exception"), "the same"),
    "_Py_DecRefShared": "never called: says by its presence that the interpreter is free-threaded",
    "fprintf": "bindings/libc/src/figures.c, after the figures are read",
    "snprintf": "bindings/libc/src/environment.c, by a constructor",
    "getpid": "bindings/libc/src/follow.c, by a constructor and where a program is executed",
    "sysconf": "platform/linux/os_helper.c, where the helper is made",
}
NEVER_ALLOCATE = {
    *("memcmp", "memcpy", "memmove", "memset", "strcmp", "strcspn", "strlen", "strncmp", "strspn", "strstr"),
    *("mmap", "munmap", "mremap", "madvise", "write", "getauxval"),
    *("pthread_attr_init", "pthread_attr_destroy", "pthread_attr_setdetachstate", "pthread_attr_setinheritsched"),
    *("pthread_attr_setschedparam", "pthread_attr_setschedpolicy", "pthread_attr_setstacksize"),
    *("pthread_key_create", "pthread_setcancelstate", "pthread_sigmask", "sigfillset", "flockfile", "funlockfile"),
    *("open", "close", "pread", "stat", "fstat", "access", "stpcpy", "mempcpy", "strchr", "strcpy", "strcat"),
    *("fgetxattr", "getuid", "getgid", "memmem", "writev", "strtol", "strtoll"),
    *("_IO_list_lock", "_IO_list_resetlock", "_IO_list_unlock"),
    *("getenv", "abort", "_exit", "environ", "errno", "stderr", "__libc_single_threaded"),
}
# The compiler's and the linker's own, and other names of the same functions.
OF_TOOL_CHAIN = {"_ITM_deregisterTMCloneTable", "_ITM_registerTMCloneTable", "__gmon_start__", "__cxa_finalize"}
OTHER_NAMES = {"__environ": "environ", "__register_atfork": "pthread_atfork", "__errno_location": "errno"}


def called_functions(library: Library) -> set[str]:
    command = ["nm", "-D", "--undefined-only", "--format=posix", str(library.file)]
    lines = subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()
    names = {line.split()[0].partition("@")[0] for line in lines}
    return {OTHER_NAMES.get(name, name) for name in names - OF_TOOL_CHAIN}


def test_each_call_is_known(library: Library) -> None:
    unknown = called_functions(library) - MAY_ALLOCATE.keys() - NEVER_ALLOCATE
    assert not unknown, "does it allocate? where is it called?"


@pytest.mark.parametrize("arguments", [["keys", "1000"], ["keys", "1023"], ["keys", "2000"], ["foreign"], ["helper"]])
def test_calls_that_come_back(library: Library, programs: Programs, arguments: list[str]) -> None:
    """Late keys, the C library's own blocks, the helper's birth; malloc_info and dlopen are in test_malloc.py."""
    name, *rest = arguments
    output_of(run(programs(name), *rest))
    output_of(library.run(programs(name), *rest))


def test_helper_is_made(library: Library, programs: Programs) -> None:
    """Without it the last program above would show nothing. It has something to wait for until the program counts."""
    assert output_of(run(programs("helper"))) == "1\n"
    assert output_of(library.run(programs("helper"), HAKMEM_PURGE_DELAY_MS="3600000")) == "2\n"
