"""One run of a command, sampled from outside: where it was, what it held, what it cost, how it ended."""

import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from hakmem.measure import kernel, marks
from hakmem.measure.errors import MeasureError
from hakmem.measure.sampler import Sample, Sampler

TAIL_BYTES = 2000
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
) -> Run:
    """Run a command to its end, or to the time limit. Ctrl-C ends it and marks the run as interrupted.

    Its output goes into a file, of which the end is kept for a run that fails. `mapped_file` must be among its
    mappings: an allocator that is not in force must not be measured.
    """
    run = Run(list(command))
    with tempfile.TemporaryDirectory(prefix="hakmem-") as directory:
        marks_path = os.path.join(directory, "marks")
        open(marks_path, "w").close()
        variables = environment | {marks.FILE_VARIABLE: marks_path}
        with open(os.path.join(directory, "output"), "wb+") as output:
            begin = time.monotonic()
            with InterruptsWait() as interrupts:
                process = _start(run.command, variables, output)
            sampler = Sampler(process.pid, interval_seconds)
            check = _MappingCheck(mapped_file)
            try:
                if interrupts.have_come:
                    raise KeyboardInterrupt
                _sample_to_the_end(run, process, sampler, check, timeout_seconds, watch)
            except KeyboardInterrupt:
                run.was_interrupted = True
                run.failure = "interrupted"
            finally:
                if process.returncode is None:
                    _end(run, process, sampler)
            run.wall_seconds = time.monotonic() - begin
            run.high_water_bytes, run.processes_max = sampler.high_water_bytes, sampler.processes_max
            run.output_tail = _tail(output)
        run.events = marks.read_file(marks_path, sampler.start)
    if not run.failure and run.exit_code != 0:
        run.failure = describe_exit(run.exit_code or 0)
    if not run.failure and check.is_missing:
        run.failure = f"{mapped_file} was not among its mappings: the allocator was not in force"
    if not run.failure and not run.samples:
        run.failure = "it ended before the first look at its memory"
    run.unserved = check.unserved()
    return run


def _start(command: Sequence[str], variables: dict[str, str], output: Any) -> "subprocess.Popen[bytes]":
    try:
        return subprocess.Popen(
            command,
            env=variables,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # Ctrl-C is ours to pass on
        )
    except OSError as error:
        raise MeasureError(f"{command[0]} cannot be started: {error.strerror}") from None


class InterruptsWait:
    """Inside, Ctrl-C and SIGTERM are only noted: a process that is just being started must not be lost sight of."""

    def __init__(self) -> None:
        """None has come."""
        self.have_come = False
        self._handlers: dict[int, Any] = {}

    def __enter__(self) -> "InterruptsWait":
        """Wait from here on."""
        for number in (signal.SIGINT, signal.SIGTERM):
            self._handlers[number] = signal.signal(number, self._note)
        return self

    def __exit__(self, *exception: object) -> None:
        """Go back to what was."""
        for number, handler in self._handlers.items():
            signal.signal(number, handler)

    def _note(self, number: int, frame: object) -> None:
        self.have_come = True


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
    process: "subprocess.Popen[bytes]",
    sampler: Sampler,
    check: _MappingCheck,
    timeout_seconds: float | None,
    watch: Watcher,
) -> None:
    while True:
        sample = sampler.sample()
        if sample is not None:
            run.samples.append(sample)
            check.look(sampler.process_ids())
            watch(sample)
        ended, status, usage = os.wait4(process.pid, os.WNOHANG)
        if ended:
            run.exit_code = process.returncode = os.waitstatus_to_exitcode(status)
            run.cpu_seconds = usage.ru_utime + usage.ru_stime
            sampler.kill()  # what it left behind must not disturb the next run
            return
        if timeout_seconds is not None and time.monotonic() - sampler.start > timeout_seconds:
            run.failure = f"it did not end within {timeout_seconds:g} s (--timeout) and was killed"
            return
        time.sleep(sampler.seconds_to_wait())


def _end(run: Run, process: "subprocess.Popen[bytes]", sampler: Sampler) -> None:
    """Kill the whole tree and reap its root."""
    sampler.kill()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    run.cpu_seconds = usage.ru_utime + usage.ru_stime


def describe_exit(exit_code: int) -> str:
    """Return how a process ended, in words."""
    if exit_code >= 0:
        return f"exit code {exit_code}"
    try:
        return f"killed by {signal.Signals(-exit_code).name}"
    except ValueError:
        return f"killed by signal {-exit_code}"


def _tail(output: Any) -> str:
    output.seek(0, os.SEEK_END)
    output.seek(max(0, output.tell() - TAIL_BYTES))
    text: str = output.read().decode(errors="replace").strip()
    return text
