"""`hakmem record` as a whole: samples a process tree into a file until it ends, or for a time, or until Ctrl-C."""

import contextlib
import datetime
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import hakmem
from hakmem.measure import client, kernel, marks
from hakmem.measure.errors import MeasureError
from hakmem.measure.recording import Writer
from hakmem.measure.runs import InterruptsWait, describe_exit
from hakmem.measure.sampler import Sampler

SECONDS_BETWEEN_QUESTIONS = 2.0
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
    reason = recorder.run(settings.seconds, lambda: False)
    return recorder.finish(f"process {process_id} ended" if reason == ENDED else reason, 0)


def record_command(command: Sequence[str], settings: Settings) -> End:
    """Run a command and record it. Its exit code becomes ours. Raises MeasureError."""
    if shutil.which(command[0]) is None:
        raise MeasureError(f"there is no command {command[0]!r} on PATH")
    with tempfile.TemporaryDirectory(prefix="hakmem-") as directory:
        marks_path = os.path.join(directory, "marks")
        open(marks_path, "w").close()
        writer = Writer(settings.path, _header(command, None, settings), settings.force)
        variables = os.environ | {marks.FILE_VARIABLE: marks_path, marks.GC_VARIABLE: "1"}
        with InterruptsWait() as interrupts:
            try:
                process = subprocess.Popen(command, env=variables)
            except OSError as error:
                raise MeasureError(f"{command[0]} cannot be started: {error.strerror}") from None
        sampler = Sampler(process.pid, settings.interval_seconds)
        recorder = _Recorder(sampler, writer, _FileEvents(marks_path, sampler.start).new_events)
        recorder.signal_number = signal.SIGINT if interrupts.have_come else 0
        try:
            reason = recorder.run(settings.seconds, lambda: process.poll() is not None)
        except MeasureError:
            process.wait()  # a full disk is no reason to stop somebody's program
            raise
        if reason == ENDED:
            process.wait()
        else:
            _end_command(process, sampler, recorder.signal_number)
        exit_code = process.returncode
        text = describe_exit(exit_code) if reason == ENDED else reason
        shown_code = exit_code if exit_code >= 0 else 128 - exit_code
        return recorder.finish(text, shown_code if reason == ENDED else 0)


ENDED = "ended"


class _Recorder:
    """Samples and writes. SIGINT and SIGTERM end it after the present look."""

    def __init__(self, sampler: Sampler, writer: Writer, new_events: Callable[[], list[Event]]) -> None:
        self.signal_number = 0
        self._sampler = sampler
        self._writer = writer
        self._new_events = new_events
        self._samples = 0

    def run(self, seconds: float | None, has_ended: Callable[[], bool]) -> str:
        """Record to the end; why it came to that."""
        signal.signal(signal.SIGINT, self._notice)
        signal.signal(signal.SIGTERM, self._notice)
        while True:
            sample = self._sampler.sample()
            if sample is not None:
                self._writer.add_sample(sample)
                self._samples += 1
            self._write_events()
            if sample is None or has_ended():
                return ENDED
            if self.signal_number:
                return "stopped"
            if seconds is not None and time.monotonic() - self._sampler.start >= seconds:
                return f"{seconds:g} s are over"
            time.sleep(self._sampler.seconds_to_wait())

    def finish(self, text: str, exit_code: int) -> End:
        """Write the last line."""
        self._write_events()
        seconds = round(time.monotonic() - self._sampler.start, 4)
        self._writer.write({"seconds": seconds, "end": text})
        self._writer.close()
        return End(text, self._samples, exit_code)

    def _write_events(self) -> None:
        for event in self._new_events():
            self._writer.write(event)

    def _notice(self, number: int, frame: object) -> None:
        self.signal_number = number


class _FileEvents:
    """Events of a command that we started, from the file that it appends to."""

    def __init__(self, path: str, start_seconds: float) -> None:
        self._path = path
        self._start_seconds = start_seconds
        self._read = 0

    def new_events(self) -> list[Event]:
        events = marks.read_file(self._path, self._start_seconds)
        new = events[self._read :]
        self._read = len(events)
        return new


class _SocketEvents:
    """Events of a process that serves its stats, which keeps the last ones; none of another process."""

    def __init__(self, process_id: int, start_seconds: float) -> None:
        self._process_id = process_id
        self._start_seconds = start_seconds
        self._last_monotonic = start_seconds
        self._next_question = start_seconds
        self._is_served = client.ask_if_served(process_id) is not None

    def new_events(self) -> list[Event]:
        if not self._is_served or time.monotonic() < self._next_question:
            return []
        self._next_question = time.monotonic() + SECONDS_BETWEEN_QUESTIONS
        told = client.ask_if_served(self._process_id)
        new = [event for event in (told or {}).get("marks", []) if event["monotonic"] > self._last_monotonic]
        if new:
            self._last_monotonic = new[-1]["monotonic"]
        return [marks.since(event, self._start_seconds) for event in new]


def _end_command(process: "subprocess.Popen[bytes]", sampler: Sampler, signal_number: int) -> None:
    """End a command: a terminal has told it already where it told us; then we do; then it is killed."""
    if signal_number != signal.SIGINT:
        process.terminate()
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(PATIENCE_SECONDS)
    if process.poll() is None:
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(PATIENCE_SECONDS)
    sampler.kill()
    process.wait()


def _header(command: Sequence[str], process_id: int | None, settings: Settings) -> dict[str, Any]:
    return {
        "hakmem": hakmem.__version__,
        "command": list(command),
        "pid": process_id,
        "date": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
        "interval_seconds": settings.interval_seconds,
    }
