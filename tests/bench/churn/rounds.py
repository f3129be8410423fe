"""A program that does the same over and over: each round builds something and drops it."""

from __future__ import annotations

import time
from collections import deque
from typing import Any

from bench.shared.workload import Workload

ROUNDS_IN_LOG = 100
LINE_BYTES = 4000
RESULTS_OF_ROUND, RESULTS_KEPT = 8, 24


class Rounds(Workload):
    """The scale decides how many rounds there are, never how large one is. The last one is dropped by `drop`."""

    rounds = 0  # at scale 1: a few seconds of processor time

    def prepare(self) -> None:
        self.sum = 0

    def build(self, number: int) -> Any:
        raise NotImplementedError

    def weight(self) -> int:
        """What the digest counts of a round."""
        return len(self.held)

    def grow(self) -> None:
        self.cpu_marks.append(time.process_time())
        for number in self.numbers():
            self.run_round(number)
            self.cpu_marks.append(time.process_time())

    def numbers(self) -> range:
        """Of the rounds."""
        return range(self.count(self.rounds))

    def run_round(self, number: int) -> None:
        self.held = None
        self.held = self.build(number)
        self.sum += self.weight()

    def digest(self) -> str:
        return str(self.sum)


class ServiceRounds(Rounds):
    """As a service does, it keeps a log of the last rounds and a few of the last results.

    They are little, but they decide what stock can give back: glibc's heap ends behind the last line of the log, and a
    result keeps pymalloc's arena.
    """

    keeps_results = False

    def prepare(self) -> None:
        super().prepare()
        self.log: deque[str] = deque(maxlen=ROUNDS_IN_LOG)
        self.results: deque[Any] = deque(maxlen=RESULTS_KEPT)

    def run_round(self, number: int) -> None:
        super().run_round(number)
        self.log.append(f"round {number}: {self.sum}".ljust(LINE_BYTES))
        results = self.held if self.keeps_results else []
        self.results.extend(results[:: len(results) // RESULTS_OF_ROUND + 1])
