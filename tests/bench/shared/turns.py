"""Processor time of rounds, measured by turns: one peer does a round while the others stand still, then the next one,
all on one processor. So a slow second of the machine is slow for all of them.

The child prints the processor seconds of each round, and waits for the next one; at last a line of JSON.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field

from bench.shared.child import Child, ChildFailed, Start
from bench.shared.runner import TIMEOUT_SECONDS, Sample


@dataclass
class Turns(Sample):
    """One process."""

    round_seconds: list[float] = field(default_factory=list)

    def as_json(self) -> dict[str, object]:
        return asdict(self)


@contextmanager
def one_processor() -> Iterator[None]:
    """For this process and its children."""
    allowed = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {max(allowed)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, allowed)


def measure_by_turns(workload: str, starts: Mapping[str, Start], rounds: int) -> list[Turns]:
    """`starts` has the peers' names. One that fails ends it for all: there are no pairs any more."""
    samples = [Turns(workload, peer) for peer in starts]
    with one_processor():
        children = [Child(start.command, start.environment, TIMEOUT_SECONDS) for start in starts.values()]
        try:
            for child, start in zip(children, starts.values(), strict=True):
                child.wait_at_base(start.mapped_file)
            _take_turns(list(zip(children, samples, strict=True)), rounds)
        except ChildFailed as failure:
            for sample in samples:
                sample.failure = str(failure)
        for child in children:
            child.end(kill=True)
    return samples


def _take_turns(pairs: Sequence[tuple[Child, Turns]], rounds: int) -> None:
    for turn in range(rounds):
        for child, sample in pairs if turn % 2 == 0 else reversed(pairs):
            child.go_on()
            sample.round_seconds.append(float(child.read_line()))
    for child, sample in pairs:
        child.go_on()
        sample.digest = json.loads(child.read_line())["digest"]
        child.end()
