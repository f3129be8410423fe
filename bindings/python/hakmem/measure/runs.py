"""One run of a command, sampled from outside: where it was, what it held, what it cost, how it ended."""

import signal
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from hakmem.measure import kernel
from hakmem.measure.child_program import ChildProgram
from hakmem.measure.events_file import EventsFile
from hakmem.measure.interrupts import Interrupts
from hakmem.measure.output_tail import OutputTail
from hakmem.measure.sampler import Sample, Sampler

LOOKS_BEFORE_MISSING = 5  # samples after which a library that is not mapped will not be

Watcher = Callable[[Sample], None]


@dataclass
class Run:
    """One run. `failure` says why its figures do not count; empty when it ended well."""

    command: list[str]
    samples: list[Sample] = field(default_factory=list)
    events: list[dict[str, Any]] = field(default_factory=list)
    wall_seconds: float = 0.0
    cpu_seconds: float = 0.0
    high_water_bytes: int = 0
    processes_max: int = 0
    exit_code: int | None = None
    failure: str = ""
    output_tail: str = ""
    was_interrupted: bool = False
    unserved: list[str] = field(default_factory=list)  # processes of it that the allocator did not reach


def run_sampled(
    command: Sequence[str],
    environment: dict[str, str],
    *,
    interval_seconds: float,
    timeout_seconds: float | None,
    mapped_file: str,
    watch: Watcher,
    interrupts: Interrupts,
) -> Run:
    """Run a command to its end, or to the time limit. An interrupt ends it and marks the run as interrupted.

    Of its output the end is kept, for a run that fails. `mapped_file` must be among its mappings: an allocator that is
    not in force must not be measured.
    """
    run = Run(list(command))
    with EventsFile() as events_file:
        variables = environment | events_file.variables()
        output = OutputTail()
        try:
            started = ChildProgram(run.command, variables, output.write_end)
            begin = time.monotonic()
            sampler = Sampler(started.process_id, interval_seconds, started.launcher_id)
            check = _MappingCheck(mapped_file)
            try:
                _sample_to_the_end(run, started, sampler, check, timeout_seconds, watch, interrupts)
            finally:
                sampler.kill()  # what it left behind, too, must not disturb the next run
                started.wait()
                started.close()
            run.wall_seconds = time.monotonic() - begin
        finally:
            run.output_tail = output.close()
        run.exit_code, run.cpu_seconds = started.exit_code, started.cpu_seconds
        run.high_water_bytes = max(sampler.high_water_bytes, started.peak_bytes)
        run.processes_max = sampler.processes_max
        run.events = events_file.events(sampler.start)
    if not run.failure and run.exit_code != 0:
        run.failure = "its end was not seen" if run.exit_code is None else describe_exit(run.exit_code)
    if not run.failure and check.is_missing:
        run.failure = f"{mapped_file} was not among its mappings: the allocator was not in force"
    if not run.failure and not run.samples:
        run.failure = "it ended before the first look at its memory"
    run.unserved = check.unserved()
    return run


class _MappingCheck:
    """Looks which processes of a tree have mapped a file."""

    def __init__(self, mapped_file: str) -> None:
        self._file = mapped_file
        self._has: set[int] = set()
        self._has_not: dict[int, str] = {}
        self._looks: dict[int, int] = {}

    def look(self, process_ids: Sequence[int]) -> None:
        if not self._file:
            return
        for process_id in process_ids:
            # Some looks at each: a process that has just begun has mapped nothing yet.
            if process_id in self._has or self._looks.get(process_id, 0) > LOOKS_BEFORE_MISSING:
                continue
            self._looks[process_id] = self._looks.get(process_id, 0) + 1
            if kernel.has_mapped(process_id, self._file):
                self._has.add(process_id)
                self._has_not.pop(process_id, None)
            elif self._looks[process_id] > LOOKS_BEFORE_MISSING:
                self._has_not[process_id] = " ".join(kernel.command_line(process_id)[:4])

    @property
    def is_missing(self) -> bool:
        """No process has it, and there was time to see that."""
        return bool(self._file) and not self._has and bool(self._has_not)

    def unserved(self) -> list[str]:
        """The Python processes that have it not, where another one has."""
        names = {name for name in self._has_not.values() if "python" in name.split(" ")[0]}
        return sorted(names) if self._has else []


def _sample_to_the_end(
    run: Run,
    started: ChildProgram,
    sampler: Sampler,
    check: _MappingCheck,
    timeout_seconds: float | None,
    watch: Watcher,
    interrupts: Interrupts,
) -> None:
    while not started.poll():
        sample = sampler.sample()
        if sample is not None:
            run.samples.append(sample)
            check.look(sampler.process_ids())
            watch(sample)
        if interrupts.have_come:
            run.was_interrupted = True
            run.failure = "interrupted"
            return
        if timeout_seconds is not None and time.monotonic() - sampler.start > timeout_seconds:
            run.failure = f"it did not end within {timeout_seconds:g} s (--timeout) and was killed"
            return
        interrupts.wait(sampler.seconds_to_wait(), started.poll)


def describe_exit(exit_code: int) -> str:
    """Return how a process ended, in words."""
    if exit_code >= 0:
        return f"exit code {exit_code}"
    try:
        return f"killed by {signal.Signals(-exit_code).name}"
    except ValueError:
        return f"killed by signal {-exit_code}"
