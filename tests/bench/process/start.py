"""Measures what a preloaded library costs a program that does next to nothing.

The time is that of `true`, from its start to its end. The memory is that of `cat`, which is as small, and can be looked
at while it waits for input.
"""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from rich.console import RenderableType

from bench.shared.child import started
from bench.shared.figures import median
from bench.shared.peers import clean_environment
from bench.shared.results import MEBIBYTE
from bench.shared.tables import number, table
from bench.shared.verdicts import Verdict

WITHOUT, WITH = "without", "preloaded"
TIMEOUT_SECONDS = 20
STARTS_PER_LOOK = 20  # of `true`, for each look at `cat`
EXTRA_MS_MAX = 1.0
EXTRA_BYTES_MAX = 1 * MEBIBYTE


@dataclass
class Start:
    """All starts of one kind; `failure` says why there are no figures."""

    kind: str
    milliseconds: list[float] = field(default_factory=list)
    resident_bytes: list[int] = field(default_factory=list)
    failure: str = ""

    def as_json(self) -> dict[str, object]:
        return asdict(self)


def measure_starts(library: Path, options: dict[str, str], rounds: int) -> list[Start]:
    """Both kinds in turn."""
    environments = {WITHOUT: {}, WITH: {**options, "LD_PRELOAD": str(library.resolve())}}
    starts = {kind: Start(kind) for kind in environments}
    for _ in range(rounds):
        for _ in range(STARTS_PER_LOOK):
            for kind, environment in environments.items():
                starts[kind].milliseconds.append(_run_true(clean_environment() | environment))
        for kind, environment in environments.items():
            mapped = library.name if kind == WITH else ""
            _look_at_cat(starts[kind], clean_environment() | environment, mapped)
    return list(starts.values())


def _run_true(environment: dict[str, str]) -> float:
    begin = time.perf_counter()
    process = os.posix_spawnp("true", ["true"], environment)
    os.waitpid(process, 0)
    return (time.perf_counter() - begin) * 1000


def _look_at_cat(start: Start, environment: dict[str, str], mapped: str) -> None:
    with started(["cat"], environment, TIMEOUT_SECONDS, start) as child:
        child.go_on()
        child.read_line()
        child.check_mapped(mapped)
        start.resident_bytes.append(child.resident_bytes())


def _middle(start: Start) -> tuple[float, float] | None:
    """Milliseconds and bytes."""
    milliseconds, resident = median(start.milliseconds), median(start.resident_bytes)
    return None if start.failure or milliseconds is None or resident is None else (milliseconds, resident)


def start_table(starts: Sequence[Start]) -> RenderableType:
    rows = []
    for start in starts:
        found = _middle(start)
        cells = [number(found[0], 2), number(found[1] / MEBIBYTE, 2)] if found else [start.failure, ""]
        rows.append([start.kind, *cells])
    return table("hakmem's malloc in a small program, medians", ["", "ms for `true`", "MiB of `cat`"], rows)


def start_verdicts(starts: Sequence[Start]) -> list[Verdict]:
    time_target = "`true` with the library preloaded: at most 1 ms more than without"
    memory_target = "`cat` with the library preloaded: at most 1 MiB more than without"
    if not starts:
        return [Verdict(target, "not measured", "") for target in (time_target, memory_target)]
    figures = {start.kind: _middle(start) for start in starts}
    without, preloaded = figures[WITHOUT], figures[WITH]
    if without is None or preloaded is None:
        why = next((start.failure for start in starts if start.failure), "")
        return [Verdict(target, "missed", f"failed: {why}") for target in (time_target, memory_target)]
    extra_ms, extra_bytes = preloaded[0] - without[0], preloaded[1] - without[1]
    return [
        Verdict(time_target, "met" if extra_ms <= EXTRA_MS_MAX else "missed", f"{extra_ms:.2f} ms"),
        Verdict(
            memory_target, "met" if extra_bytes <= EXTRA_BYTES_MAX else "missed", f"{extra_bytes / MEBIBYTE:.2f} MiB"
        ),
    ]
