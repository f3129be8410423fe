"""A child process that stops at marks, so that its resident memory can be read from outside while it stands still.

The child writes one line per mark to its standard output and waits for a byte on its standard input.
"""

from __future__ import annotations

import os
import selectors
import subprocess
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path


class ChildFailed(Exception):
    """The child ended badly, hung, or was not what it was started as."""


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

    def read_line(self) -> str:
        """The next line; raises when there is none in time."""
        output = self._process.stdout
        assert output is not None
        with selectors.DefaultSelector() as selector:
            selector.register(output, selectors.EVENT_READ)
            while b"\n" not in self._unread:
                if not selector.select(max(0.0, self._deadline - time.monotonic())):
                    raise ChildFailed("took too long")
                chunk = os.read(output.fileno(), 65536)
                if not chunk:
                    raise ChildFailed(f"ended before its time{self._tail_of_errors()}")
                self._unread += chunk
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
        if part_of_path not in self._proc("maps"):
            raise ChildFailed(f"{part_of_path} is not in the process")

    def begin(self, part_of_path: str) -> int:
        """To where the workload begins; the resident memory there."""
        self.expect("base")
        self.check_mapped(part_of_path)
        base_bytes = self.resident_bytes()
        self.reset_peak()
        self.go_on()
        return base_bytes

    def resident_bytes(self) -> int:
        """From smaps_rollup, which is exact (the counters in `status` lag by some OS pages per thread)."""
        return _field(self._proc("smaps_rollup"), "Rss:")

    def reset_peak(self) -> None:
        Path(f"/proc/{self._process.pid}/clear_refs").write_text("5")

    def peak_bytes(self) -> int:
        """The highest resident memory since `reset_peak`."""
        return _field(self._proc("status"), "VmHWM:")

    def end(self, kill: bool = False) -> None:
        """Waits for the end and notes the cpu time; raises on a bad exit code unless it is killed here."""
        if kill:
            self._process.kill()
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        ended, status, usage = os.wait4(self._process.pid, os.WNOHANG)
        while not ended:
            if time.monotonic() > self._deadline:
                self._process.kill()
            time.sleep(0.005)
            ended, status, usage = os.wait4(self._process.pid, os.WNOHANG)
        self._process.returncode = os.waitstatus_to_exitcode(status)
        self._process.stdout.close()
        self.cpu_seconds = usage.ru_utime + usage.ru_stime
        tail = self._tail_of_errors()
        self._errors.close()
        if self._process.returncode != 0 and not kill:
            raise ChildFailed(f"exit code {self._process.returncode}{tail}")

    def _proc(self, name: str) -> str:
        try:
            return Path(f"/proc/{self._process.pid}/{name}").read_text()
        except OSError as error:
            raise ChildFailed(f"/proc says: {error}{self._tail_of_errors()}") from None

    def _tail_of_errors(self) -> str:
        self._errors.seek(0)
        text = self._errors.read().strip()
        return f": {text[-500:]}" if text else ""


def _field(text: str, name: str) -> int:
    for line in text.splitlines():
        if line.startswith(name):
            return int(line.split()[1]) * 1024
    raise ChildFailed(f"the kernel gave no {name}")
