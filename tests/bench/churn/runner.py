"""Measures one program under one peer in a fresh process."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass

from bench.churn.watch import mean_until_line, used_by
from bench.shared.child import Child, ChildFailed
from bench.shared.runner import SOON_SECONDS, TIMEOUT_SECONDS, Sample, sleep_until

IDLE_SECONDS = 0.6
DIGEST = ("digest", "survivors", "sum")  # what a child's last line has of it: Python's, then Lua's


@dataclass
class Start:
    """How a program is started under a peer, and what must be among its mappings then."""

    command: Sequence[str]
    environment: dict[str, str]
    mapped_file: str


@dataclass
class ChurnSample(Sample):
    """Processor time and page faults are those of the work alone; `idle_bytes` is 0.6 s after its end."""

    mean_bytes: float = 0.0
    user_seconds: float = 0.0
    system_seconds: float = 0.0
    faults: int = 0


def measure(workload: str, peer: str, start: Start) -> ChurnSample:
    sample = ChurnSample(workload, peer)
    child = Child(start.command, start.environment, TIMEOUT_SECONDS)
    try:
        _follow(child, start.mapped_file, sample)
        child.end()
    except ChildFailed as failure:
        sample.failure = str(failure)
        child.end(kill=True)
    return sample


def _follow(child: Child, mapped_file: str, sample: ChurnSample) -> None:
    sample.base_bytes = child.wait_at_base(mapped_file)
    before = used_by(child)
    child.go_on()
    sample.mean_bytes = mean_until_line(child)
    child.expect("held")
    sample.held_bytes = child.resident_bytes()
    child.go_on()
    child.expect("dropped")
    dropped_at = time.monotonic()
    used = used_by(child).since(before)
    sample.cpu_seconds, sample.faults = used.seconds, used.faults
    sample.user_seconds, sample.system_seconds = used.user_seconds, used.system_seconds
    sample.dropped_bytes = child.resident_bytes()
    sleep_until(dropped_at + SOON_SECONDS)
    sample.soon_bytes = child.resident_bytes()
    sleep_until(dropped_at + IDLE_SECONDS)
    sample.idle_bytes = child.resident_bytes()
    sample.peak_bytes = max(child.peak_bytes(), sample.held_bytes)
    child.go_on()
    said = json.loads(child.read_line())
    sample.digest = " ".join(str(said[name]) for name in DIGEST if name in said)
    sample.hakmem_base = said.get("hakmem_base") or {}
    sample.hakmem_idle = said.get("hakmem_idle") or {}
