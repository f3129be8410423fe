"""glibc's own tests of malloc's contract, on the C library's malloc and on hakmem: each ends with the same exit code.

    GLIBC=/path/to/a/checkout make test-python PYTEST_ARGS=tests/libc/test_glibc.py

Nothing of glibc is kept here. The tests are those of the folder malloc that use public interfaces; glibc/support.h
stands in for the library that they are written against.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
from pathlib import Path

import pytest
from libc_support import SECONDS_MAX, Library, clean_environment

CHECKOUT = Path(os.environ.get("GLIBC", ""), "malloc")
SHIM = Path(__file__).resolve().parent / "glibc"
# The headers that the tests ask for and a system has not.
HEADERS = [
    *("array_length.h", "libc-diag.h", "libc-pointer-arith.h", "malloc-size.h", "support/check.h", "support/support.h"),
    *("support/temp_file.h", "support/test-driver.h", "support/xsignal.h", "support/xthread.h", "support/xunistd.h"),
]
# A test includes its driver, of which there are two: the older takes a call, the newer a function's name.
DRIVERS = {
    "test-skeleton.c": (
        "#ifndef TEST_FUNCTION\n#define TEST_FUNCTION do_test()\n#endif\n#define TEST_RESULT TEST_FUNCTION"
    ),
    "support/test-driver.c": "#define TEST_RESULT TEST_FUNCTION()",
}
COMPILE = ["cc", f"--include={SHIM}/support.h", "-D_GNU_SOURCE", "-std=gnu11", "-O1", "-fno-builtin", "-w", "-pthread"]

PUBLIC = """
tst-aligned-alloc tst-aligned-alloc-random tst-aligned-alloc-random-thread tst-aligned-alloc-random-thread-cross
tst-calloc tst-free-aligned-sized tst-free-errno tst-free-sized tst-mallinfo2 tst-malloc tst-malloc-alternate-path
tst-malloc-backtrace tst-malloc-check tst-malloc-fork-deadlock tst-malloc-random tst-malloc-stats-cancellation
tst-malloc-tcache-leak tst-malloc-thread-exit tst-malloc-thread-fail tst-malloc-too-large tst-malloc_info
tst-mallocalign1 tst-mallocfork tst-mallocfork2 tst-mallocfork3 tst-mallopt tst-memalign tst-memalign-2 tst-memalign-3
tst-mxfast tst-obstack tst-posix_memalign tst-pvalloc tst-pvalloc-fortify tst-realloc tst-reallocarray tst-tcfree1
tst-tcfree2 tst-tcfree3 tst-tcfree4 tst-trim1 tst-valloc
"""

LEFT_OUT = {
    "of code inside glibc": "tst-alloc_buffer tst-dynarray tst-dynarray-at-fail tst-dynarray-fail tst-scratch_buffer",
    "of glibc's own debugging library": (
        "tst-compathooks-off tst-compathooks-on tst-mallocstate tst-malloc-usable tst-malloc-usable-tunables "
        "tst-mtrace tst-free-aligned-sized-trace tst-free-sized-trace"
    ),
    "corrupts a list of glibc's": "tst-safe-linking",
    "brings a malloc of its own": (
        "tst-interpose-aux tst-interpose-aux-nothread tst-interpose-aux-thread tst-interpose-nothread "
        "tst-interpose-skeleton tst-interpose-static-nothread tst-interpose-static-thread tst-interpose-thread "
        "tst-aligned_alloc-lib"
    ),
    "a static program": "tst-aligned-alloc-static",
}

# Ends otherwise on hakmem.
DIFFERENT = {
    "tst-malloc-backtrace": "writes before a block and waits for an abort; hakmem keeps nothing there",
    "tst-malloc-stats-cancellation": "looks for glibc's figures in what malloc_stats prints; it ends, with exit code 1",
}


def names_of_checkout() -> list[str]:
    return sorted(path.stem for path in CHECKOUT.glob("tst-*.c"))


if not names_of_checkout():
    pytest.skip("name a checkout of glibc: GLIBC=/path", allow_module_level=True)


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the tests, with the shim where they look for their library."""
    folder = tmp_path_factory.mktemp("glibc")
    shutil.copytree(CHECKOUT, folder / "malloc", ignore=lambda _, names: [n for n in names if not n.startswith("tst-")])
    (folder / "support").mkdir()
    for name in HEADERS:
        (folder / name).write_text(f'#include "{SHIM}/support.h"\n')
    for name, text in DRIVERS.items():
        (folder / name).write_text(f'{text}\n#include "{SHIM}/driver.h"\n')
    return folder


def exit_code(program: Path, **environment: str) -> tuple[int, str]:
    """And the end of what it printed. A hang fails the test; children that are left behind end with the program."""
    with program.with_suffix(".log").open("w+") as log:
        process = subprocess.Popen(
            [program],
            stdout=log,
            stderr=subprocess.STDOUT,
            env={**clean_environment(), **environment},
            start_new_session=True,
        )
        try:
            process.wait(SECONDS_MAX)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        log.seek(0)
        return process.returncode, log.read()[-2000:]


def test_each_is_in_a_list() -> None:
    listed = {*PUBLIC.split(), *(name for names in LEFT_OUT.values() for name in names.split())}
    assert [name for name in names_of_checkout() if name not in listed] == []


@pytest.mark.parametrize("name", [name for name in names_of_checkout() if name in PUBLIC.split()])
def test_ends_as_on_the_c_library(
    library: Library, sources: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.chdir(tmp_path)
    source = sources / "malloc" / f"{name}.c"
    compiled = subprocess.run([*COMPILE, f"-I{sources}", source, "-o", name], capture_output=True, text=True)
    if "undefined reference to `free_" in compiled.stderr:
        pytest.skip("this C library is older than C23's free_sized")
    assert compiled.returncode == 0, compiled.stderr
    expected = -signal.SIGABRT if "EXPECTED_SIGNAL SIGABRT" in source.read_text() else 0
    stock, said = exit_code(tmp_path / name)
    if stock != expected:
        pytest.skip(f"exit code {stock} on this C library's own malloc: {said[-200:]}")
    ours, said = exit_code(tmp_path / name, LD_PRELOAD=str(library.file))
    if name in DIFFERENT:
        assert ours != expected, "listed as different"
    else:
        assert ours == expected, said
