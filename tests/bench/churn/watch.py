"""What a process took, by the kernel's figures alone: it costs the process nothing.

Resident memory while it works is read from `statm`, which needs no lock of the process (`smaps_rollup` walks over its
memory and holds up its page faults).
"""

from __future__ import annotations

import os
import random
import time
from dataclasses import dataclass

from bench.shared.child import Child

OS_PAGE_BYTES = os.sysconf("SC_PAGESIZE")
TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
# From one look to the next: at random, so that they do not fall into step with the rounds of a program.
INTERVAL_SECONDS = (0.002, 0.008)
CPUCLOCK_SCHED = 2  # what the kernel adds up of all threads, also of those that have ended


@dataclass(frozen=True)
class Used:
    """Since the process began. `seconds` is exact; the other two are in steps of 10 ms."""

    seconds: float
    user_seconds: float
    system_seconds: float
    faults: int  # those that needed nothing from a disk

    def since(self, earlier: Used) -> Used:
        return Used(
            self.seconds - earlier.seconds,
            self.user_seconds - earlier.user_seconds,
            self.system_seconds - earlier.system_seconds,
            self.faults - earlier.faults,
        )


def used_by(child: Child) -> Used:
    fields = child.proc("stat").rpartition(")")[2].split()
    clock = ~child.measured_process << 3 | CPUCLOCK_SCHED  # the number of its clock, as the kernel reads it
    user, system = (int(ticks) / TICKS_PER_SECOND for ticks in fields[11:13])
    return Used(time.clock_gettime(clock), user, system, int(fields[7]))


def mean_until_line(child: Child) -> float:
    """Resident bytes while the child works on, until it has a line to read: the mean over the time."""
    pick = random.Random(1).uniform
    began = last = time.monotonic()
    byte_seconds = 0.0
    while True:
        has_line = child.has_line(pick(*INTERVAL_SECONDS))
        resident_bytes = int(child.proc("statm").split()[1]) * OS_PAGE_BYTES
        now = time.monotonic()
        byte_seconds += resident_bytes * (now - last)
        last = now
        if has_line:
            return byte_seconds / (now - began)
