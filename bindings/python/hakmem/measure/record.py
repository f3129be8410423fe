"""`hakmem record` as a whole: samples a process tree into a file until it ends, or for a time, or until Ctrl-C."""

import datetime
import math
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import hakmem
from hakmem.measure import client, kernel, marks
from hakmem.measure.curve_file import Writer
from hakmem.measure.events_file import EventsFile
from hakmem.measure.interrupts import SLICE_SECONDS, Interrupts
from hakmem.measure.measure_error import MeasureError
from hakmem.measure.runs import describe_exit
from hakmem.measure.sampler import Sampler

SECONDS_BETWEEN_QUESTIONS = 2.0
SECONDS_BETWEEN_QUESTIONS_MAX = 30.0
ANSWER_SECONDS_MAX = 0.05
# A command that was told to end gets this long before it is told again, and then killed.
PATIENCE_SECONDS = 10.0

Event = dict[str, Any]


@dataclass(frozen=True)
class Settings:
    """What the command line says."""

    path: str
    force: bool
    interval_seconds: float
    seconds: float | None


@dataclass(frozen=True)
class End:
    """How a recording ended."""

    text: str
    samples: int
    exit_code: int


def record_process(process_id: int, settings: Settings) -> End:
    """Record a running process; Ctrl-C is the usual way to end that. Raises MeasureError."""
    kernel.check_readable(process_id)
    sampler = Sampler(process_id, settings.interval_seconds)
    writer = Writer(settings.path, _header(kernel.command_line(process_id), process_id, settings), settings.force)
    recorder = _Recorder(sampler, writer, _SocketEvents(process_id, sampler.start).new_events)
    with Interrupts() as interrupts:
        reason = recorder.run(settings.seconds, interrupts, lambda: not recorder.is_there)
        return recorder.finish(f"process {process_id} ended" if reason == ENDED else reason, 0)


def record_command(command: Sequence[str], settings: Settings) -> End:
    """Run a command and record it to its end. Its exit code becomes ours. Raises MeasureError."""
    if shutil.which(command[0]) is None:
        raise MeasureError(f"there is no command {command[0]!r} on PATH")
    with Interrupts() as interrupts, EventsFile() as events_file:
        writer = Writer(settings.path, _header(command, None, settings), settings.force)
        variables = os.environ | events_file.variables() | {marks.GC_VARIABLE: "1"}
        try:
            # Descriptors that it is to inherit go on to it: <(command), sockets of systemd, make's jobserver.
            process = subprocess.Popen(command, env=variables, close_fds=False)
        except OSError as error:
            raise MeasureError(f"{command[0]} cannot be started: {error.strerror}") from None
        sampler = Sampler(process.pid, settings.interval_seconds)
        recorder = _Recorder(sampler, writer, _FileEvents(events_file, sampler.start).new_events)
        ending = _Ending(process, sampler, interrupts)
        try:
            reason = recorder.run(settings.seconds, interrupts, ending.has_ended)
            if reason != ENDED:
                ending.begin()
                recorder.run_on(ending.has_come)
        except MeasureError:
            ending.wait()  # a full disk is no reason to stop somebody's program
            raise
        exit_text = describe_exit(process.returncode)
        if reason not in (ENDED, STOPPED):
            return recorder.finish(reason, 0)  # it was we who ended it, as was wanted
        text = exit_text if reason == ENDED else f"{reason}, {exit_text}"
        return recorder.finish(text, process.returncode if process.returncode >= 0 else 128 - process.returncode)


ENDED, STOPPED = "ended", "stopped"


class _Recorder:
    """Samples and writes."""

    def __init__(self, sampler: Sampler, writer: Writer, new_events: Callable[[], list[Event]]) -> None:
        self._sampler = sampler
        self._writer = writer
        self._new_events = new_events
        self._samples = 0
        self.is_there = True  # at the last look

    def run(self, seconds: float | None, interrupts: Interrupts, has_ended: Callable[[], bool]) -> str:
        """Record to the end, an interrupt, or for a time; why it came to that."""
        while True:
            self._look()
            if has_ended():
                return ENDED
            if interrupts.have_come:
                return STOPPED
            wait_seconds = self._sampler.seconds_to_wait()
            if seconds is not None:
                rest_seconds = self._sampler.start + seconds - time.monotonic()
                if rest_seconds <= 0:
                    return f"{seconds:g} s are over"
                wait_seconds = min(wait_seconds, rest_seconds)
            interrupts.wait(wait_seconds, has_ended)

    def run_on(self, has_ended: Callable[[], bool]) -> None:
        """Record what was told to end until it has."""
        while not has_ended():
            self._look()
            time.sleep(min(self._sampler.seconds_to_wait(), SLICE_SECONDS))

    def finish(self, text: str, exit_code: int) -> End:
        """Write the last line."""
        self._write_events()
        seconds = round(time.monotonic() - self._sampler.start, 4)
        self._writer.write({"seconds": seconds, "end": text})
        self._writer.close()
        return End(text, self._samples, exit_code)

    def _look(self) -> None:
        sample = self._sampler.sample()
        self.is_there = sample is not None
        if sample is not None:
            self._writer.add_sample(sample)
            self._samples += 1
        self._write_events()

    def _write_events(self) -> None:
        for event in self._new_events():
            self._writer.write(event)


class _Ending:
    """Ends a command: it is told once where its terminal has not done so, told again, and then killed."""

    def __init__(self, process: "subprocess.Popen[bytes]", sampler: Sampler, interrupts: Interrupts) -> None:
        self._process = process
        self._sampler = sampler
        self._interrupts = interrupts
        self._steps: list[tuple[float, Callable[[], None]]] = []  # when, and what is done then

    def has_ended(self) -> bool:
        """Tell whether the command has ended."""
        return self._process.poll() is not None

    def begin(self) -> None:
        """Want it to end from here on."""
        now = time.monotonic()
        self._steps = [
            (now + PATIENCE_SECONDS, self._process.terminate),
            (now + 2 * PATIENCE_SECONDS, self._sampler.kill),
        ]
        if self._interrupts.number != signal.SIGINT:  # a terminal tells it, too
            self._steps.insert(0, (now, self._process.terminate))

    def has_come(self) -> bool:
        """Take the step that is due; tell whether it has ended, with all that it left behind."""
        if self._steps and time.monotonic() >= self._steps[0][0]:
            self._steps.pop(0)[1]()
        if self.has_ended():
            self._sampler.kill()
        return self.has_ended()

    def wait(self) -> None:
        """Wait for it without recording; interrupts are passed on."""
        while not self.has_ended() and not self._interrupts.have_come:
            self._interrupts.wait(math.inf, self.has_ended)
        if not self.has_ended():
            self.begin()
        while not self.has_come():
            time.sleep(SLICE_SECONDS)


class _FileEvents:
    """Events of a command that we started, from the file that it appends to."""

    def __init__(self, file: EventsFile, start_seconds: float) -> None:
        self._file = file
        self._start_seconds = start_seconds
        self._read = 0

    def new_events(self) -> list[Event]:
        events = self._file.events(self._start_seconds)
        new = events[self._read :]
        self._read = len(events)
        return new


class _SocketEvents:
    """Events of a process that serves its stats, which keeps the last ones; none of another process.

    Samples must not wait for it: it is asked for a moment only, and more and more seldom while it does not answer.
    """

    def __init__(self, process_id: int, start_seconds: float) -> None:
        self._process_id = process_id
        self._start_seconds = start_seconds
        self._last_seconds = 0.0
        self._next_question = start_seconds
        self._seconds_between = SECONDS_BETWEEN_QUESTIONS

    def new_events(self) -> list[Event]:
        if time.monotonic() < self._next_question:
            return []
        told = client.ask_if_served(self._process_id, ANSWER_SECONDS_MAX)
        self._seconds_between = (
            min(2 * self._seconds_between, SECONDS_BETWEEN_QUESTIONS_MAX) if told is None else SECONDS_BETWEEN_QUESTIONS
        )
        self._next_question = time.monotonic() + self._seconds_between
        events = marks.since((told or {}).get("marks"), self._start_seconds)
        new = [event for event in events if event["seconds"] > self._last_seconds]
        if new:
            self._last_seconds = new[-1]["seconds"]
        return new


def _header(command: Sequence[str], process_id: int | None, settings: Settings) -> dict[str, Any]:
    return {
        "hakmem": hakmem.__version__,
        "command": list(command),
        "pid": process_id,
        "date": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
        "interval_seconds": settings.interval_seconds,
    }
