"""hakmem.control in Python: what only Python can give as an argument, and threads and interpreters that use it.

What all languages share is tests/swig/session.*.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest
from hakmem import control
from python_support import output_of, run_code


class Index:
    """What numpy's integers are: no int, but in the place of one."""

    def __init__(self, number: int) -> None:
        self.number = number

    def __index__(self) -> int:
        return self.number


class Interrupted:
    def __index__(self) -> int:
        raise KeyboardInterrupt


@pytest.fixture
def heap() -> Iterator[int]:
    number = control.heap_new(0, 0)
    yield number
    control.heap_destroy(number)


def test_what_takes_the_place_of_an_integer_is_one(heap: int) -> None:
    control.heap_set_limit(heap, True, Index(1 << 63))
    figures = control.heap_stats(heap)
    assert (figures["soft_limit_bytes"], figures["hard_limit_bytes"]) == (1, 1 << 63)


@pytest.mark.parametrize("wrong", [b"12", [1], object(), 1j, 2.5, float("inf")])
def test_what_is_no_number_is_a_type_error(heap: int, wrong: object) -> None:
    with pytest.raises(TypeError, match=r"^the hard limit must be a whole number of bytes, or 0 for none$"):
        control.heap_set_limit(heap, 0, wrong)


def test_exception_of_an_argument_stays(heap: int) -> None:
    with pytest.raises(KeyboardInterrupt):
        control.heap_set_limit(heap, 0, Interrupted())


def test_integer_that_python_does_not_write(heap: int) -> None:
    with pytest.raises(ValueError, match=r"^the hard limit is '(too large|10{79}\.\.\.)'; give"):
        control.heap_set_limit(heap, 0, 10**5000)


@pytest.mark.parametrize("name", ["purge_\udc80delay", "\ud800"])
def test_text_that_is_no_unicode_is_shown(name: str) -> None:
    shown = name.encode("utf-8", "backslashreplace").decode()
    with pytest.raises(LookupError) as error:
        control.option_get(name)
    assert f"there is no option '{shown}'" in str(error.value)


THREADS = """
import random, sys, threading
from hakmem import control
def work(seed):
    pick = random.Random(seed)
    mine = []
    for _ in range(500):
        step = pick.randrange(6)
        if step <= 1:
            mine.append(control.heap_new(0, pick.randrange(1, 1 << 40), pick.randrange(2)))
        elif step == 2 and mine:
            control.heap_destroy(mine.pop(pick.randrange(len(mine))))
        elif step == 3 and mine:
            number = pick.choice(mine)
            control.heap_set_limit(number, 5, 1 << 30)
            figures = control.heap_stats(number)
            assert figures["heap"] == number and figures["hard_limit_bytes"] == 1 << 30, figures
        elif step == 4:
            control.stats_json()
            control.options()
        else:
            seen = {row["heap"] for row in control.heaps()}
            assert seen >= set(mine), (seen, mine)
    for number in mine:
        control.heap_destroy(number)
"""


def test_threads_make_and_end_heaps_at_the_same_time() -> None:
    program = """
errors = []
threading.excepthook = errors.append
threads = [threading.Thread(target=work, args=(seed,)) for seed in range(8)]
for thread in threads: thread.start()
for thread in threads: thread.join()
print(errors, control.heaps())
"""
    assert output_of(run_code(THREADS + program)) == "[] []\n"


@pytest.mark.skipif(sys.version_info < (3, 12), reason="interpreters with their own GIL came with 3.12")
def test_interpreters_with_their_own_gil_make_and_end_heaps_at_the_same_time() -> None:
    program = f"""
try:
    import _interpreters as interpreters
    create = lambda: interpreters.create("isolated")
except ImportError:
    import _xxsubinterpreters as interpreters
    create = interpreters.create
errors = []
def one(seed):
    interpreter = create()
    error = interpreters.run_string(interpreter, {THREADS!r} + f"work({{seed}})")
    if error is not None: errors.append(error)
    interpreters.destroy(interpreter)
threads = [threading.Thread(target=one, args=(seed,)) for seed in range(6)]
for thread in threads: thread.start()
work(6)
for thread in threads: thread.join()
print(errors, control.heaps())
"""
    assert output_of(run_code(THREADS + program)) == "[] []\n"
