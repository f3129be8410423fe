"""Measures one program under one peer in a fresh process."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from bench.churn.watch import mean_until_line, used_by
from bench.shared.child import Child, Start, started
from bench.shared.runner import TIMEOUT_SECONDS, Sample, follow_to_drop, follow_to_end

IDLE_SECONDS = 0.6
STRETCHES = 12  # of a program's rounds: a quarter of a second each
DIGEST = ("digest", "survivors", "sum")  # what a child's last line has of it: Python's, then Lua's


@dataclass
class ChurnSample(Sample):
    """Processor time and page faults are those of the work alone; `idle_bytes` is 0.6 s after its end."""

    mean_bytes: float = 0.0
    user_seconds: float = 0.0
    system_seconds: float = 0.0
    faults: int = 0
    stretch_seconds: list[float] = field(default_factory=list)  # empty where the program notes none


def measure(workload: str, peer: str, start: Start) -> ChurnSample:
    sample = ChurnSample(workload, peer)
    with started(start.command, start.environment, TIMEOUT_SECONDS, sample) as child:
        _follow(child, start.mapped_file, sample)
    return sample


def _follow(child: Child, mapped_file: str, sample: ChurnSample) -> None:
    sample.base_bytes = child.wait_at_base(mapped_file)
    before = used_by(child)
    child.go_on()
    sample.mean_bytes = mean_until_line(child)
    dropped_at = follow_to_drop(child, sample)
    used = used_by(child).since(before)
    sample.cpu_seconds, sample.faults = used.seconds, used.faults
    sample.user_seconds, sample.system_seconds = used.user_seconds, used.system_seconds
    said = follow_to_end(child, sample, dropped_at, IDLE_SECONDS)
    sample.digest = " ".join(str(said[name]) for name in DIGEST if name in said)
    sample.stretch_seconds = stretches(said.get("cpu_marks", []), sample.cpu_seconds)


def stretches(marks: Sequence[float], cpu_seconds: float) -> list[float]:
    """Processor seconds of each stretch of the rounds, and last those outside of them: `cpu_seconds` in all."""
    if not marks:
        return []
    bounds = [marks[(len(marks) - 1) * step // STRETCHES] for step in range(STRETCHES + 1)]
    found = [later - earlier for earlier, later in pairwise(bounds)]
    return [*found, cpu_seconds - sum(found)]
