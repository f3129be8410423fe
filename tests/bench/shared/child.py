"""A child process that stops at marks, so that its resident memory can be read from outside while it stands still.

The child writes one line per mark to its standard output and waits for a byte on its standard input.
"""

from __future__ import annotations

import math
import os
import selectors
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol


class ChildFailed(Exception):
    """The child ended badly, hung, or was not what it was started as."""


@dataclass
class Start:
    """How a program is started under a peer, and what must be among its mappings then."""

    command: Sequence[str]
    environment: dict[str, str]
    mapped_file: str


class Child:
    """Started at construction, reaped by `end`, also killed by `end` where it still runs."""

    def __init__(self, command: Sequence[str], environment: dict[str, str], timeout_seconds: float) -> None:
        self._errors = tempfile.TemporaryFile("w+")  # noqa: SIM115 - closed by end()
        self._deadline = time.monotonic() + timeout_seconds
        self._unread = b""
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._errors, env=environment
        )
        self.cpu_seconds = 0.0
        self.measured_process = self._process.pid  # another one where the line at the base names it

    def has_line(self, seconds: float) -> bool:
        """Whether there is a line within that time; raises where the child has ended, or has taken too long."""
        output = self._process.stdout
        assert output is not None
        until = min(self._deadline, time.monotonic() + seconds)
        with selectors.DefaultSelector() as selector:
            selector.register(output, selectors.EVENT_READ)
            while b"\n" not in self._unread:
                if not selector.select(max(0.0, until - time.monotonic())):
                    if until == self._deadline:
                        raise ChildFailed("took too long")
                    return False
                chunk = os.read(output.fileno(), 65536)
                if not chunk:
                    raise ChildFailed(f"ended before its time{self._tail_of_errors()}")
                self._unread += chunk
        return True

    def read_line(self) -> str:
        """The next line; raises when there is none in time."""
        self.has_line(math.inf)
        line, self._unread = self._unread.split(b"\n", 1)
        return line.decode()

    def expect(self, mark: str) -> None:
        line = self.read_line()
        if line != mark:
            raise ChildFailed(f"said {line[:200]!r} where {mark!r} was due")

    def go_on(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(b"\n")
        self._process.stdin.flush()

    def check_mapped(self, part_of_path: str) -> None:
        """Raises unless a file of that name is mapped: a peer that is not in force must not be measured."""
        if part_of_path not in self.proc("maps"):
            raise ChildFailed(f"{part_of_path} is not in the process")

    def begin(self, part_of_path: str) -> int:
        """Lets it go on from its base, and tells the resident memory there."""
        base_bytes = self.wait_at_base(part_of_path)
        self.go_on()
        return base_bytes

    def wait_at_base(self, part_of_path: str) -> int:
        """The resident memory where the workload begins. `base PID` says that it runs in that process."""
        mark, _, process_id = self.read_line().partition(" ")
        if mark != "base" or not (process_id or "0").isdecimal():
            raise ChildFailed(f"said {f'{mark} {process_id}'.strip()[:200]!r} where 'base' was due")
        self.measured_process = int(process_id or self.measured_process)
        self.check_mapped(part_of_path)
        base_bytes = self.resident_bytes()
        self.reset_peak()
        return base_bytes

    def resident_bytes(self) -> int:
        """From smaps_rollup, which is exact (the counters in `status` lag by some OS pages per thread)."""
        return _field(self.proc("smaps_rollup"), "Rss:")

    def reset_peak(self) -> None:
        Path(f"/proc/{self.measured_process}/clear_refs").write_text("5")

    def peak_bytes(self) -> int:
        """The highest resident memory since `reset_peak`."""
        return _field(self.proc("status"), "VmHWM:")

    def end(self, kill: bool = False) -> None:
        """Waits for the end and notes the cpu time; raises on a bad exit code unless it is killed here."""
        if self._process.returncode is not None:
            return
        if kill:
            self._kill()
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        ended, status, usage = os.wait4(self._process.pid, os.WNOHANG)
        while not ended:
            if time.monotonic() > self._deadline:
                self._kill()
            time.sleep(0.005)
            ended, status, usage = os.wait4(self._process.pid, os.WNOHANG)
        self._process.returncode = os.waitstatus_to_exitcode(status)
        self._process.stdout.close()
        self.cpu_seconds = usage.ru_utime + usage.ru_stime
        tail = self._tail_of_errors()
        self._errors.close()
        if self._process.returncode != 0 and not kill:
            raise ChildFailed(f"exit code {self._process.returncode}{tail}")

    def _kill(self) -> None:
        """Not by Popen, which reaps a child that has ended: its times would be lost."""
        os.kill(self._process.pid, signal.SIGKILL)

    def proc(self, name: str) -> str:
        """A file of the measured process."""
        try:
            return Path(f"/proc/{self.measured_process}/{name}").read_text()
        except OSError as error:
            raise ChildFailed(f"/proc says: {error}{self._tail_of_errors()}") from None

    def _tail_of_errors(self) -> str:
        self._errors.seek(0)
        text = self._errors.read().strip()
        return f": {text[-500:]}" if text else ""


class Figures(Protocol):
    """Those of a child; `failure` says why there are none."""

    failure: str


@contextmanager
def started(
    command: Sequence[str], environment: dict[str, str], timeout_seconds: float, figures: Figures
) -> Iterator[Child]:
    """A child that ends with the block. Where it fails the block ends there, and the figures say why."""
    child = Child(command, environment, timeout_seconds)
    try:
        yield child
        child.end()
    except ChildFailed as failure:
        figures.failure = str(failure)
        child.end(kill=True)


def _field(text: str, name: str) -> int:
    for line in text.splitlines():
        if line.startswith(name):
            return int(line.split()[1]) * 1024
    raise ChildFailed(f"the kernel gave no {name}")
