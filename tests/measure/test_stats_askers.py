"""Who is answered by the socket behind `hakmem stats`, who is believed, and what the others are told."""

from __future__ import annotations

import os
import re
import signal
import socket
import sys
from pathlib import Path

import pytest
from hakmem.measure import client
from hakmem.measure.measure_error import MeasureError
from measure_support import end, hakmem_command, socket_names, start, start_python, wait_until
from stats_support import (
    ENABLE,
    NOBODY,
    READY_AND_WAIT,
    as_root,
    asked_as,
    children_of,
    start_served,
    told_by,
)


@as_root
def test_another_user_gets_nothing(tmp_path: Path) -> None:
    program = start_python(ENABLE + "print(1, flush=True); time.sleep(60)", cwd=tmp_path, HAKMEM_STATS_SOCKET="1")
    (name,) = socket_names(program.pid)
    read_end, write_end = os.pipe()
    other = os.fork()
    if other == 0:
        os.setuid(NOBODY)
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.connect(name.replace("@", "\0"))
            os.write(write_end, b"connected " + connection.recv(100))
        os._exit(0)
    os.waitpid(other, 0)
    assert os.read(read_end, 1000) == b"connected "
    assert asked_as(NOBODY, program.pid, tmp_path).stderr == (
        f"hakmem: error: process {program.pid} answers root; run this as root (sudo)\n"
    )
    end(program)


MASTER_AND_WORKER = (
    ENABLE
    + """
worker = os.fork()
if worker == 0:
    os.setgroups([])
    os.setresgid(65534, 65534, 65534)
    os.setresuid(65534, 65534, 65534)
    time.sleep(60)
"""
)


@as_root
def test_worker_that_became_another_user(tmp_path: Path) -> None:
    program = start_served(MASTER_AND_WORKER + READY_AND_WAIT, cwd=tmp_path)
    (worker,) = children_of(program.pid)
    wait_until(lambda: socket_names(worker) and f"Uid:\t{NOBODY}" in Path(f"/proc/{worker}/status").read_text())
    assert told_by(worker, tmp_path)["is_enabled"]
    told_by(program.pid, tmp_path)
    for words in ((), ("--json",), ("--prom",)):
        result = asked_as(NOBODY, worker, tmp_path, *words)
        assert result.returncode == 0, result.stderr
        assert "resident memory 0" not in result.stdout
    refused = asked_as(NOBODY - 1, worker, tmp_path)
    assert re.fullmatch(
        rf"hakmem: error: process {worker} answers \w+ and root; run this as one of them\n", refused.stderr
    ), refused.stderr
    os.kill(worker, signal.SIGKILL)
    end(program)


def test_name_that_another_process_took_is_not_believed(tmp_path: Path) -> None:
    """It answers for a process that serves nothing, and for one that serves its stats."""
    silent = start_python("import time; print(1, flush=True); time.sleep(60)", cwd=tmp_path)
    served = start_served(ENABLE + READY_AND_WAIT, cwd=tmp_path)
    liar = """
import os, socket, sys
listeners = []
for number in sys.argv[1:]:
    for last in ("0", "fffffffff"):
        listeners.append(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM))
        listeners[-1].bind(f"\\0hakmem.stats.{number}.{last}")
        listeners[-1].listen(100)
print(1, flush=True)
import select
while True:
    for listener in select.select(listeners, [], [])[0]:
        listener.accept()[0].sendall(b'{"hakmem_process": 1, "pid": 1}')
"""
    other = start([sys.executable, "-c", liar, str(silent.pid), str(served.pid)], cwd=tmp_path)
    assert other.stdout is not None
    other.stdout.readline()
    told_by(served.pid, tmp_path)
    refused = hakmem_command("stats", str(silent.pid), cwd=tmp_path)
    for process in (silent, served, other):
        end(process)
    assert f"process {silent.pid} does not serve its stats" in refused.stderr


def test_process_that_forks_all_the_time_is_not_said_to_be_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its socket is away whenever we look, and there when we look for the reason."""
    program = start_served(ENABLE + READY_AND_WAIT, cwd=tmp_path)
    monkeypatch.setattr(client, "_ask", lambda *_: None)
    with pytest.raises(MeasureError, match="forks all the time"):
        client.ask(program.pid)
    end(program)
