"""NumPy: arrays of mixed size, whose elements come from malloc."""

from __future__ import annotations

import random
from typing import Any

import numpy

from bench.process.part_kept import PartKept

# In bytes, from and below, and how many of 100 arrays are like that.
SIZES = (((64, 1024), 60), ((1024, 16 * 1024), 30), ((16 * 1024, 128 * 1024), 9), ((256 * 1024, 1024 * 1024), 1))


def sizes_bytes(count: int) -> list[int]:
    generator = random.Random(4)
    ranges = generator.choices([bounds for bounds, _ in SIZES], [weight for _, weight in SIZES], k=count)
    return [generator.randrange(*bounds) for bounds in ranges]


class Arrays(PartKept):
    def prepare(self) -> None:
        self.lengths = [size_bytes // 8 for size_bytes in sizes_bytes(self.count(20_000))]

    def grow(self) -> None:
        self.held = [numpy.full(length, index, numpy.float64) for index, length in enumerate(self.lengths)]

    def describe(self, survivor: Any) -> str:
        return f"{len(survivor)} {survivor.sum()}"
