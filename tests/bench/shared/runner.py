"""Measures one workload, which stops at the marks of `run_with_marks`, under one peer in a fresh process."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from bench.shared.child import Child, ChildFailed
from bench.shared.peers import Peer, command_for, environment_for

TIMEOUT_SECONDS = 240
SOON_SECONDS = 0.3


@dataclass
class Sample:
    """Absolute figures of one process; `failure` says why there are none."""

    workload: str
    peer: str
    base_bytes: int = 0
    held_bytes: int = 0
    peak_bytes: int = 0
    dropped_bytes: int = 0
    soon_bytes: int = 0  # 300 ms after the drop
    idle_bytes: int = 0  # at the end of the idle time
    cpu_seconds: float = 0.0
    digest: str = ""
    hakmem_base: dict[str, int] = field(default_factory=dict)
    hakmem_idle: dict[str, int] = field(default_factory=dict)
    failure: str = ""

    def as_json(self) -> dict[str, object]:
        return asdict(self)


def measure(workload: str, peer: Peer, program: Sequence[str], python_path: Path, idle_seconds: float) -> Sample:
    sample = Sample(workload, peer.name)
    child = Child(command_for(peer, program), environment_for(peer, python_path), TIMEOUT_SECONDS)
    try:
        _follow(child, peer, sample, idle_seconds)
        child.end()
        sample.cpu_seconds = child.cpu_seconds
    except ChildFailed as failure:
        sample.failure = str(failure)
        child.end(kill=True)
    return sample


def _follow(child: Child, peer: Peer, sample: Sample, idle_seconds: float) -> None:
    sample.base_bytes = child.begin(peer.mapped_file)
    child.expect("held")
    sample.held_bytes = child.resident_bytes()
    child.go_on()
    child.expect("dropped")
    dropped_at = time.monotonic()
    sample.dropped_bytes = child.resident_bytes()
    sleep_until(dropped_at + SOON_SECONDS)
    sample.soon_bytes = child.resident_bytes()
    sleep_until(dropped_at + idle_seconds)
    sample.idle_bytes = child.resident_bytes()
    sample.peak_bytes = max(child.peak_bytes(), sample.held_bytes)
    child.go_on()
    said = json.loads(child.read_line())
    sample.digest = said["digest"]
    sample.hakmem_base = said["hakmem_base"] or {}
    sample.hakmem_idle = said["hakmem_idle"] or {}


def sleep_until(moment: float) -> None:
    time.sleep(max(0.0, moment - time.monotonic()))
