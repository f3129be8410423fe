"""What NumPy's users report that memory does not do, as workloads: numpy#29738 (what stays depends on the size, to the
megabyte), numpy#23238 (arrays of many sizes), numpy#18358 (large ones after many small ones); and one in a hundred
that survives.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy

from bench.shared.workload import Workload

ELEMENTS_PER_MIB = (1 << 20) // 8


class Story(Workload):
    """Its survivors are told by their sums."""

    def digest(self) -> str:
        kept = self.survivors or []
        return f"{len(kept)} {sum(float(array.sum()) for array in kept)}"


class SizeBySize(Story):
    """Each size is dropped before the next one comes."""

    def grow(self) -> None:
        for mebibytes in (1, 2, 4, 8, 16, 31, 40):
            self.held = None
            self.held = [numpy.ones(mebibytes * ELEMENTS_PER_MIB) for _ in range(self.count(96) // mebibytes + 1)]


def _counts(count: int, largest: int) -> Iterator[int]:
    return (10 + number * 7919 % largest for number in range(count))


class ManySizes(Story):
    def grow(self) -> None:
        self.held = [numpy.ones(count) for count in _counts(self.count(4000), 20_000)]


class LargeAfterSmall(Story):
    def grow(self) -> None:
        small = [numpy.ones(60) for _ in range(self.count(150_000))]
        self.held = [small, [numpy.ones(8 * ELEMENTS_PER_MIB) for _ in range(8)]]


class ScatteredSurvivors(Story):
    def grow(self) -> None:
        self.held = [numpy.ones(count) for count in _counts(self.count(15_000), 8000)]

    def drop(self) -> None:
        self.survivors = self.held[::100]
        self.held = None


STORIES: dict[str, type[Story]] = {
    "size by size": SizeBySize,
    "many sizes": ManySizes,
    "large after small": LargeAfterSmall,
    "one in a hundred survives": ScatteredSurvivors,
}
