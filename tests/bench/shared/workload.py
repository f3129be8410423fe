"""What all workloads have in common, and the marks at which their process stands still for the benchmark.

A workload knows nothing of allocators. `prepare` may read its input; `grow` is what is measured; `drop` leaves the
survivors; `digest` shows that they are intact and the same under every allocator; `finish` ends what still runs.
Everything is deterministic.
"""

from __future__ import annotations

import gc
import hashlib
import json
import os
import random
import sys
import time
from pathlib import Path
from typing import Any

SETTLE_SECONDS = 0.4  # what `prepare` left behind is given back by then


class Workload:
    """What all have in common."""

    def __init__(self, scale: float, inputs: Path) -> None:
        self.scale = scale
        self.inputs = inputs
        self.held: Any = None
        self.survivors: Any = None
        self.cpu_marks: list[float] = []  # this process's seconds, as often as `grow` wants to note them

    def count(self, full: int) -> int:
        return max(1, int(full * self.scale))

    def prepare(self) -> None:
        """Before the base is read."""

    def grow(self) -> None:
        raise NotImplementedError

    def drop(self) -> None:
        self.held = None

    def digest(self) -> str:
        return hashlib.sha256(repr(self.survivors).encode()).hexdigest()[:16]

    def finish(self) -> None:
        """After the last figure was read."""


def scattered(items: list[Any], share: float) -> list[Any]:
    """That share of the items, picked at random over the whole list, in order."""
    picked = sorted(random.Random(7).sample(range(len(items)), round(len(items) * share)))
    return [items[index] for index in picked]


def stand_still(mark: str) -> None:
    os.write(1, mark.encode() + b"\n")
    os.read(0, 1)


def hakmem_stats() -> dict[str, int] | None:
    """None where hakmem does not serve this process."""
    hakmem = sys.modules.get("hakmem")
    if hakmem is None:
        return None
    if not hakmem.is_enabled():
        raise SystemExit("hakmem is not in force")
    return {name: value for name, value in hakmem.stats().items() if isinstance(value, int)}


def run_with_marks(workload: Workload) -> None:
    """Stands still at base, held and dropped; at last prints the digest of the survivors, the workload's marks and,
    under hakmem, its figures at the base and after the idle time, as one line of JSON."""
    workload.prepare()
    gc.collect()
    time.sleep(SETTLE_SECONDS)
    base = hakmem_stats()
    stand_still("base")
    workload.grow()
    stand_still("held")
    workload.drop()
    stand_still("dropped")
    idle = hakmem_stats()
    workload.finish()
    figures = {"cpu_marks": workload.cpu_marks, "hakmem_base": base, "hakmem_idle": idle}
    print(json.dumps({"digest": workload.digest(), **figures}), flush=True)
