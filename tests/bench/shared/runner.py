"""Measures one workload, which stops at the marks of `run_with_marks`, under one peer in a fresh process."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from bench.shared.child import Child, Start, started
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
    start = Start(command_for(peer, program), environment_for(peer, python_path), peer.mapped_file)
    return measure_start(workload, peer.name, start, idle_seconds)


def measure_start(workload: str, peer_name: str, start: Start, idle_seconds: float) -> Sample:
    sample = Sample(workload, peer_name)
    with started(start.command, start.environment, TIMEOUT_SECONDS, sample) as child:
        sample.base_bytes = child.begin(start.mapped_file)
        dropped_at = follow_to_drop(child, sample)
        sample.digest = follow_to_end(child, sample, dropped_at, idle_seconds)["digest"]
    if not sample.failure:
        sample.cpu_seconds = child.cpu_seconds
    return sample


def follow_to_drop(child: Child, sample: Sample) -> float:
    """The moment of the drop."""
    child.expect("held")
    sample.held_bytes = child.resident_bytes()
    child.go_on()
    child.expect("dropped")
    return time.monotonic()


def follow_to_end(child: Child, sample: Sample, dropped_at: float, idle_seconds: float) -> dict[str, Any]:
    """What the child says in its last line."""
    sample.dropped_bytes = child.resident_bytes()
    _sleep_until(dropped_at + SOON_SECONDS)
    sample.soon_bytes = child.resident_bytes()
    _sleep_until(dropped_at + idle_seconds)
    sample.idle_bytes = child.resident_bytes()
    sample.peak_bytes = max(child.peak_bytes(), sample.held_bytes)
    child.go_on()
    said: dict[str, Any] = json.loads(child.read_line())
    sample.hakmem_base = said.get("hakmem_base") or {}  # those of Lua say neither
    sample.hakmem_idle = said.get("hakmem_idle") or {}
    return said


def _sleep_until(moment: float) -> None:
    time.sleep(max(0.0, moment - time.monotonic()))
