"""gunicorn with one worker, which is the process that is measured; its application answers `/` with its number."""

from __future__ import annotations

import ctypes
import http.client
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

START_SECONDS_MAX = 30
PR_SET_PDEATHSIG = 1


class Connection(http.client.HTTPConnection):
    """To a socket that is a file: no port that another process may have."""

    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=60)
        self.path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self.path))


@dataclass
class Gunicorn:
    """A server that answers."""

    path: Path
    worker: int = 0  # the number of its process

    def get(self, target: str) -> bytes:
        connection = Connection(self.path)
        connection.request("GET", target)
        answer = connection.getresponse()
        body = answer.read()
        connection.close()
        if answer.status != 200:
            sys.exit(f"gunicorn answered {answer.status}: {body[:200]!r}")
        return body


@contextmanager
def gunicorn(command: Sequence[str], application: str, options: Sequence[str] = ()) -> Iterator[Gunicorn]:
    """`command` is what stands before `-m gunicorn`."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "socket"
        words = ["--workers", "1", "--bind", f"unix:{path}", "--log-level", "warning", *options, application]
        process = subprocess.Popen(
            [*command, "-m", "gunicorn", *words],
            stdin=subprocess.DEVNULL,
            stdout=sys.stderr,
            preexec_fn=_end_with_us,  # noqa: PLW1509 - there is one thread here
        )
        try:
            server = Gunicorn(path)
            server.worker = _worker_of(process, server)
            yield server
        finally:
            process.terminate()
            process.wait()


def _end_with_us() -> None:
    """gunicorn stops when this process has ended, however that came."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


def _worker_of(process: subprocess.Popen[bytes], server: Gunicorn) -> int:
    """Its process, once it answers."""
    deadline = time.monotonic() + START_SECONDS_MAX
    while process.poll() is None and time.monotonic() < deadline:
        try:
            return int(server.get("/"))
        except OSError:
            time.sleep(0.05)
    sys.exit("gunicorn does not answer")
