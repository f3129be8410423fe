"""Memory of one of CPython's allocator domains that is freed as another one's: hakmem takes it where stock does."""

from __future__ import annotations

import itertools
import platform
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest
from python_support import clean_environment, output_of, run_code

FAMILIES = ["mem", "obj", "raw", "libc"]
SIZES = [1, 8, 24, 100, 512, 513, 1000, 4096, 32768, 32769, 100000, 262144, 1 << 20]
DOMAINS = [",".join(names) for count in (1, 2, 3) for names in itertools.combinations(("raw", "mem", "obj"), count)]
# pymalloc hands what is above 512 bytes to the raw domain.
PYMALLOC_BYTES_MAX = 512

Mix = tuple[str, str, int, int]  # made by, dropped by, bytes, bytes that it is resized to before it is dropped, or 0
ALL = [
    (maker, other, size, new_size)
    for maker, other in itertools.product(FAMILIES, FAMILIES)
    for size in SIZES
    for new_size in (0, size // 2 + 1, size * 3)
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where `mixing` can be imported from."""
    compiler = shutil.which((sysconfig.get_config_var("CC") or "cc").split()[0]) or shutil.which("cc")
    if compiler is None:
        pytest.skip("no C compiler")
    directory = tmp_path_factory.mktemp("mixing")
    source = Path(__file__).parent / "mixing.c"
    module = directory / ("mixing" + str(sysconfig.get_config_var("EXT_SUFFIX")))
    subprocess.run(
        [compiler, "-O1", "-shared", "-fPIC", "-pthread", f"-I{sysconfig.get_path('include')}", source, "-o", module],
        check=True,
    )
    return directory


def program(folder: Path, code: str) -> str:
    return f"import sys; sys.path.insert(0, {str(folder)!r}); import hakmem, mixing\n{code}"


def mixing_all(mixes: list[Mix]) -> str:
    return f"""
for mixed in {mixes!r} * 2:
    assert mixing.mix(*mixed), mixed
"""


def taken_by_stock(allocator: str) -> list[Mix]:
    """All but small blocks of pymalloc's own that other functions than its own free."""
    return [
        (maker, other, size, new_size)
        for maker, other, size, new_size in ALL
        if allocator == "malloc" or size > PYMALLOC_BYTES_MAX or maker in ("raw", "libc") or other in ("mem", "obj")
    ]


@pytest.mark.parametrize("allocator", ["pymalloc", "malloc"])
def test_stock_takes_it(folder: Path, allocator: str) -> None:
    code = program(folder, mixing_all(taken_by_stock(allocator)))
    output_of(run_code(code, environment=clean_environment(PYTHONMALLOC=allocator)))


@pytest.mark.parametrize("allocator", ["pymalloc", "malloc"])
@pytest.mark.parametrize("domains", DOMAINS)
def test_what_stock_takes_is_taken(folder: Path, domains: str, allocator: str) -> None:
    """All but memory of a served domain that the C library's own functions free, which nobody can see."""
    served = domains.split(",")
    if "raw" in served and allocator == "pymalloc":
        served = ["raw", "mem", "obj"]  # which pymalloc's large blocks are from
    mixes = [mix for mix in taken_by_stock(allocator) if mix[1] != "libc" or mix[0] not in served]
    code = program(folder, "hakmem.enable()\n" + mixing_all(mixes))
    output_of(run_code(code, environment=clean_environment(HAKMEM_DOMAINS=domains, PYTHONMALLOC=allocator)))


OURS = [mix for mix in ALL if mix[0] in ("mem", "obj") and mix[1] != "libc"]


@pytest.mark.parametrize("variables", [{}, {"HAKMEM_COUNTERS": "1"}, {"HAKMEM_DEBUG": "2"}], ids=str)
@pytest.mark.parametrize("allocator", ["malloc", "debug", "pymalloc_debug", "malloc_debug", "pymalloc"])
def test_blocks_of_ours_at_every_size(folder: Path, allocator: str, variables: dict[str, str]) -> None:
    """Also those of up to 512 bytes, which stock does not take, and over CPython's debug hooks, which find it."""
    code = program(folder, "hakmem.enable()\n" + mixing_all(OURS))
    output_of(run_code(code, environment=clean_environment(PYTHONMALLOC=allocator, **variables)))


def test_while_disabled_and_enabled_again(folder: Path) -> None:
    disabled = mixing_all([mix for mix in taken_by_stock("pymalloc") if mix[1] != "libc"])
    enabled = mixing_all(OURS)
    code = program(
        folder,
        f"""
hakmem.enable()
kept = [bytes(size) for size in range(0, 100000, 99)]
assert mixing.keep_to_the_end() == 0
hakmem.disable()
{disabled}
del kept
hakmem.enable()
{enabled}
hakmem.disable()
""",
    )
    output_of(run_code(code))


def test_beside_tracemalloc(folder: Path) -> None:
    enabled = mixing_all(OURS)
    code = program(
        folder,
        f"""
import tracemalloc
hakmem.enable()
tracemalloc.start()
before = tracemalloc.get_traced_memory()[0]
{enabled}
assert tracemalloc.get_traced_memory()[0] - before < 100000, "a freed block is still traced"
tracemalloc.stop()
{enabled}
""",
    )
    output_of(run_code(code))


def test_without_the_gil(folder: Path) -> None:
    code = program(
        folder,
        """
hakmem.enable()
for round in range(20):
    assert mixing.mix_in_threads() == 0
from hakmem import _hakmem
assert _hakmem.check() == 0
""",
    )
    output_of(run_code(code))


def test_raw_memory_of_a_thread_while_hakmem_is_enabled_and_disabled(folder: Path) -> None:
    code = program(
        folder,
        """
assert mixing.busy_begin() == 0
for round in range(1000):
    hakmem.enable()
    mixing.busy_hand_over()
    hakmem.disable()
    mixing.busy_hand_over()
mixing.busy_end()
""",
    )
    output_of(run_code(code))


def test_raw_memory_of_a_thread_during_forks(folder: Path) -> None:
    code = program(
        folder,
        """
import os, warnings
warnings.simplefilter("ignore", DeprecationWarning)  # of a fork beside threads
hakmem.enable()
assert mixing.busy_begin() == 0
for round in range(50):
    mixing.busy_hand_over()
    process = os.fork()
    if process == 0:
        for size in (100, 1000, 100000):
            assert mixing.mix("mem", "raw", size, size * 2)
        os._exit(0)
    assert os.waitpid(process, 0)[1] == 0
mixing.busy_end()
""",
    )
    output_of(run_code(code))


def test_after_the_interpreter_has_ended(folder: Path) -> None:
    output_of(run_code(program(folder, "hakmem.enable(); assert mixing.keep_to_the_end() == 0")))


def test_blocks_of_before(folder: Path) -> None:
    code = program(folder, "assert mixing.keep_to_the_end() == 0\nhakmem.enable()\n" + mixing_all(OURS))
    output_of(run_code(code))


def test_in_a_sub_interpreter(folder: Path) -> None:
    inner = program(folder, "assert hakmem.is_enabled()\n" + mixing_all(OURS))
    name = "_interpreters" if sys.version_info >= (3, 13) else "_xxsubinterpreters"
    code = program(
        folder,
        f"""
import {name} as interpreters
hakmem.enable()
for _ in range(3):
    interpreter = interpreters.create()
    failure = interpreters.run_string(interpreter, {inner!r})
    assert failure is None, failure
    interpreters.destroy(interpreter)
""",
    )
    output_of(run_code(code))


def test_requests_of_an_unserved_domain_are_not_counted(folder: Path) -> None:
    code = program(
        folder,
        """
hakmem.enable()
before = hakmem.stats()
mixing.make_and_free_raw(100000)
after = hakmem.stats()
assert after["passed_requests"] - before["passed_requests"] < 10000
assert after["served_requests"] - before["served_requests"] < 10000
""",
    )
    output_of(run_code(code))


@pytest.mark.parametrize(("size", "new_size"), [(1000, 0), (1000, 5000), (100000, 0)])
def test_the_c_librarys_free_dies(folder: Path, size: int, new_size: int) -> None:
    """As docs/python.md says: up to 32 KiB with a line of glibc's, which does not name hakmem."""
    code = program(folder, f"hakmem.enable()\nmixing.mix('mem', 'libc', {size}, {new_size})")
    result = run_code(code)
    assert result.returncode < 0
    assert "hakmem" not in result.stderr
    if platform.libc_ver()[0] == "glibc" and size <= 32768:
        assert f"{'realloc' if new_size else 'free'}(): invalid pointer" in result.stderr


@pytest.mark.parametrize(("other", "said"), [("raw", "bad ID"), ("libc", 'File "<string>", line 2')])
def test_cpythons_debug_hooks_find_it_without_hakmem(folder: Path, other: str, said: str) -> None:
    """As docs/python.md says."""
    code = program(folder, f"mixing.mix('mem', {other!r}, 1000, 0)")
    result = run_code(code, flags=("-X", "faulthandler"), environment=clean_environment(PYTHONMALLOC="debug"))
    assert result.returncode < 0
    assert said in result.stderr
