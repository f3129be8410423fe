"""Resident memory of a process and its descendants over time, from outside."""

import contextlib
import time
from dataclasses import dataclass
from typing import Any

from hakmem.measure import kernel
from hakmem.measure.extras import require

# Sampling makes the kernel walk the page tables of what is measured: it gets at most this part of the time.
SAMPLING_PART_MAX = 0.1
SECONDS_BLIND_MAX = 0.5  # rather more of the time than to see less than this
TREE_PART_MAX = 0.05
TREE_SECONDS_MIN = 0.05
TREE_SECONDS_MAX = 0.25


@dataclass(frozen=True)
class Sample:
    """One look at a process tree. Bytes are sums over its processes; PSS counts what they share once."""

    seconds: float  # since the sampler's start
    rss_bytes: int
    pss_bytes: int
    cpu_seconds: float
    processes: int


class Sampler:
    """Looks at a process tree. Descendants stay in it when their parent ends."""

    def __init__(self, root_id: int, interval_seconds: float, guardian_id: int | None = None) -> None:
        """Begin the clock; the first look is the first call of `sample`.

        The guardian is no part of the tree, but all its other children are: what processes that ended left behind.
        """
        self.interval_seconds = interval_seconds
        self.start = time.monotonic()
        self.high_water_bytes = 0  # of the root, which may have peaked between two looks
        self.processes_max = 0
        self._psutil: Any = require("psutil")
        self._tree: dict[int, Any] = {}
        self._guardians = [] if guardian_id is None else [guardian_id]
        self._next_tree_look = 0.0
        self._last_cost_seconds = 0.0
        with contextlib.suppress(self._psutil.Error):
            self._tree[root_id] = self._psutil.Process(root_id)
        self.root_id = root_id

    def process_ids(self) -> list[int]:
        """Return the processes that are known to live."""
        return list(self._tree)

    def sample(self) -> Sample | None:
        """Look once; None when the whole tree is gone."""
        begin = time.monotonic()
        if begin >= self._next_tree_look:
            self._find_descendants()
            cost_seconds = time.monotonic() - begin
            wait_seconds = max(TREE_SECONDS_MIN, cost_seconds / TREE_PART_MAX)
            self._next_tree_look = begin + min(wait_seconds, TREE_SECONDS_MAX)
        rss = pss = processes = 0
        cpu_seconds = 0.0
        look = time.monotonic()
        cost_begin = time.thread_time()
        for process_id in list(self._tree):
            sums = kernel.memory_sums(process_id)
            if sums is None:
                if process_id != self.root_id:
                    del self._tree[process_id]
                continue
            rss += sums.rss
            pss += sums.pss
            processes += 1
            cpu_seconds += kernel.processor_seconds(process_id)
            if process_id == self.root_id:
                self.high_water_bytes = max(self.high_water_bytes, sums.high_water)
        self._last_cost_seconds = time.thread_time() - cost_begin
        self.processes_max = max(self.processes_max, processes)
        if not processes:
            return None
        return Sample(round(look - self.start, 4), rss, pss, round(cpu_seconds, 2), processes)

    def seconds_to_wait(self) -> float:
        """Return how long to wait for the next look: longer where a look is costly.

        What it costs is the processor's time: a look that took long because the machine was busy disturbed nobody.
        """
        cost_seconds = self._last_cost_seconds
        for_the_program_seconds = min(cost_seconds / SAMPLING_PART_MAX, SECONDS_BLIND_MAX)
        return max(self.interval_seconds - cost_seconds, for_the_program_seconds, 0.001)

    def _find_descendants(self) -> None:
        waiting = [*self._tree, *self._guardians]
        by_parent = None if kernel.LISTS_CHILDREN else self._all_by_parent()
        while waiting:
            parent = waiting.pop()
            found = (kernel.children(parent) or []) if by_parent is None else by_parent.get(parent, [])
            for child in found:
                if child not in self._tree:
                    with contextlib.suppress(self._psutil.Error):
                        self._tree[child] = self._psutil.Process(child)
                        waiting.append(child)

    def _all_by_parent(self) -> dict[int, list[int]]:
        """Return the children of every process of the machine, where the kernel lists them in no other way."""
        by_parent: dict[int, list[int]] = {}
        for process in self._psutil.process_iter(["ppid"]):
            by_parent.setdefault(process.info["ppid"], []).append(process.pid)
        return by_parent

    def kill(self) -> None:
        """End the whole tree, also what is forked meanwhile."""
        killed: set[int] = set()
        while True:
            self._find_descendants()
            new = [process_id for process_id in self._tree if process_id not in killed]
            if not new:
                return
            for process_id in new:
                # It looks at the start time first: a number that was given to another process is safe.
                with contextlib.suppress(self._psutil.Error):
                    self._tree[process_id].kill()
            killed.update(new)
