"""What is done with arrays of one size, over and over, and dropped at once."""

from __future__ import annotations

from collections.abc import Callable

import numpy

OS_PAGE_ELEMENTS = 4096 // 8

# Of float64, from 80 bytes to 168 MB.
SIZES_BYTES = tuple(80 << power for power in range(22))
# A round of a size takes about 10 ms.
BYTES_PER_ROUND = 32 << 20
REPEATS_MAX = 10_000
SLOWER = {"sort": 8}  # than a copy

Operation = Callable[[], object]


def repeats(name: str, size_bytes: int) -> int:
    """How often the operation is done in a round."""
    return max(1, min(REPEATS_MAX, BYTES_PER_ROUND // SLOWER.get(name, 1) // size_bytes))


def _empty(count: int) -> Operation:
    return lambda: numpy.empty(count)


def _zeros(count: int) -> Operation:
    def make_and_touch() -> None:
        numpy.zeros(count)[::OS_PAGE_ELEMENTS] = 1.0

    return make_and_touch


def _add(count: int) -> Operation:
    one, another = numpy.ones(count), numpy.ones(count)
    return lambda: one + another


def _copy(count: int) -> Operation:
    return numpy.ones(count).copy


def _sort(count: int) -> Operation:
    shuffled = numpy.random.default_rng(3).random(count)
    return lambda: numpy.sort(shuffled)


OPERATIONS: dict[str, Callable[[int], Operation]] = {
    "empty": _empty,
    "zeros and touch": _zeros,
    "a + b": _add,
    "copy": _copy,
    "sort": _sort,
}
