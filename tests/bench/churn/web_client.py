"""Starts gunicorn with one worker, which is the process that is measured, and sends it the requests.

python -m bench.churn.web_client SCALE COMMAND...       COMMAND is what stands before `-m gunicorn`
"""

from __future__ import annotations

import ctypes
import hashlib
import http.client
import json
import random
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from bench.shared.workload import SETTLE_SECONDS, stand_still

REQUESTS = 250
ROWS_MIN, ROWS_MAX = 1_000, 100_000
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


def get(path: Path, target: str) -> bytes:
    connection = Connection(path)
    connection.request("GET", target)
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    if answer.status != 200:
        sys.exit(f"gunicorn answered {answer.status}: {body[:200]!r}")
    return body


def end_with_us() -> None:
    """gunicorn stops when this process has ended, however that came."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


def start(command: list[str], path: Path) -> subprocess.Popen[bytes]:
    words = ["--workers", "1", "--bind", f"unix:{path}", "--log-level", "warning", "bench.churn.application"]
    return subprocess.Popen(
        [*command, "-m", "gunicorn", *words],
        stdin=subprocess.DEVNULL,
        stdout=sys.stderr,
        preexec_fn=end_with_us,  # noqa: PLW1509 - there is one thread here
    )


def worker_of(server: subprocess.Popen[bytes], path: Path) -> int:
    """Its process, once it answers."""
    deadline = time.monotonic() + START_SECONDS_MAX
    while server.poll() is None and time.monotonic() < deadline:
        try:
            return int(get(path, "/"))
        except OSError:
            time.sleep(0.05)
    sys.exit("gunicorn does not answer")


def main() -> None:
    scale, *command = sys.argv[1:]
    generator = random.Random(7)
    share = ROWS_MAX / ROWS_MIN
    counts = [int(ROWS_MIN * share ** generator.random()) for _ in range(max(1, int(REQUESTS * float(scale))))]
    digest = hashlib.sha256()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "socket"
        server = start(command, path)
        worker = worker_of(server, path)
        time.sleep(SETTLE_SECONDS)
        stand_still(f"base {worker}")
        for rows in counts:
            digest.update(get(path, f"/?rows={rows}"))
        stand_still("held")
        stand_still("dropped")
        server.terminate()
        server.wait()
    print(json.dumps({"digest": digest.hexdigest()[:16]}), flush=True)


if __name__ == "__main__":
    main()
