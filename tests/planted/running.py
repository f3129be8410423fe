"""Runs tests, the cheapest first, a few at a time, until one of them fails."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import tempfile
import time
from collections import deque
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from planted.trees import CoreTest

POLL_SECONDS = 0.01
TEST_SECONDS_MIN = 20.0  # a test may take so long, or TIMES_CLEAN of its time on the clean tree
TIMES_CLEAN = 8.0
TEST_SECONDS_CLEAN = 300.0
TELLING = ("error:", "does not hold", "broken", "assert", "!=", "failed", "Sanitizer")


@dataclass(frozen=True)
class Outcome:
    test: str
    seconds: float
    failure: str = ""  # "": it passed


class Running:
    """A test whose process runs; what it prints goes to a file."""

    def __init__(self, test: CoreTest, seconds_max: float) -> None:
        self.test, self.seconds_max = test, seconds_max
        self.output: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - closed with its last reference
        self.start = time.monotonic()
        self.process = subprocess.Popen(
            test.command,
            cwd=Path(test.command[0]).parent,
            env={**os.environ, **test.environment},
            stdin=subprocess.DEVNULL,
            stdout=self.output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    def end(self) -> None:
        """Also ends what the test has forked."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def outcome(self) -> Outcome | None:
        """None: it still runs."""
        code, seconds = self.process.poll(), time.monotonic() - self.start
        if code is None and seconds < self.seconds_max:
            return None
        self.end()
        if code is None:
            return Outcome(self.test.name, seconds, f"hangs: {seconds:.0f} s")
        if code in (0, self.test.skip_code):
            return Outcome(self.test.name, seconds)
        return Outcome(self.test.name, seconds, self._telling_line() or f"exit code {code}")

    def _telling_line(self) -> str:
        self.output.seek(0)
        lines = self.output.read().decode("utf-8", "replace").splitlines()
        return next((line.strip() for line in lines if any(word in line for word in TELLING)), "")


def run(tests: list[CoreTest], clean_seconds: dict[str, float], jobs: int, until_failure: bool = True) -> list[Outcome]:
    """Stops at the first failure, which is the last outcome then."""
    waiting = deque(sorted(tests, key=lambda test: clean_seconds.get(test.name, 0.0)))
    running: list[Running] = []
    outcomes: list[Outcome] = []
    try:
        while waiting or running:
            while waiting and len(running) < jobs:
                test = waiting.popleft()
                clean = clean_seconds.get(test.name)
                limit = TEST_SECONDS_CLEAN if clean is None else max(TEST_SECONDS_MIN, TIMES_CLEAN * clean)
                running.append(Running(test, limit))
            for each in list(running):
                outcome = each.outcome()
                if outcome is None:
                    continue
                running.remove(each)
                outcomes.append(outcome)
                if outcome.failure and until_failure:
                    return outcomes
            time.sleep(POLL_SECONDS)
    finally:
        for each in running:
            each.end()
    return outcomes
