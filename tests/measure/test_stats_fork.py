"""The socket behind `hakmem stats` where processes fork, exec, and end."""

from __future__ import annotations

import ctypes
import os
import platform
import shutil
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from measure_support import end, hakmem_command, script, socket_names, wait_until
from python_support import clean_environment, run
from stats_support import (
    ENABLE,
    READY_AND_END,
    READY_AND_WAIT,
    also_on_stock,
    as_root,
    children_of,
    ends_quietly,
    start_served,
    told_by,
)

FORKING = (
    ENABLE
    + """
child = os.fork()
hakmem.mark("forked")
if child == 0:
    time.sleep(20)
    os._exit(0)
"""
)


def test_forked_children_serve_themselves(tmp_path: Path) -> None:
    """And, from 3.12 on, CPython warns nobody that a thread runs at the fork."""
    program = start_served(FORKING + READY_AND_END + "\nos.kill(child, 9)", cwd=tmp_path)
    (child,) = children_of(program.pid)
    wait_until(lambda: socket_names(child))
    told = [told_by(process_id, tmp_path) for process_id in (program.pid, child)]
    assert all([event["mark"] for event in row["marks"] if "mark" in event] == ["forked"] for row in told)
    ends_quietly(program)


def test_fork_while_a_caller_does_not_read(tmp_path: Path) -> None:
    code = (
        ENABLE
        + """
for _ in range(1000):
    hakmem.mark("x" * 1000)  # more than the kernel keeps for a reader
os.write(1, b"ready\\n")
os.read(0, 1)
begin = time.monotonic()
if os.fork() == 0:
    os._exit(0)
os.wait()
os.write(1, b"%f\\n" % (time.monotonic() - begin))
os.read(0, 1)
"""
    )
    program = start_served(code, cwd=tmp_path)
    assert program.stdin is not None
    assert program.stdout is not None
    (name,) = socket_names(program.pid)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as caller:
        caller.connect(name.replace("@", "\0"))
        caller.recv(1)
        program.stdin.write("x")
        program.stdin.flush()
        assert float(program.stdout.readline()) < 1.5
    assert len(told_by(program.pid, tmp_path)["marks"]) >= 900
    ends_quietly(program)


def test_many_forks_and_questions_at_once(tmp_path: Path) -> None:
    code = (
        ENABLE
        + """
os.write(1, b"ready\\n")
begin = time.monotonic()
while time.monotonic() < begin + 4:
    if os.fork() == 0:
        os._exit(0)
    os.wait()
os.read(0, 1)
"""
    )
    program = start_served(code, cwd=tmp_path)
    for _ in range(5):
        told_by(program.pid, tmp_path)
    ends_quietly(program)


def test_daemon_by_double_fork(tmp_path: Path) -> None:
    code = (
        ENABLE
        + """
if os.fork():
    os._exit(0)
os.setsid()
if os.fork():
    os._exit(0)
os.closerange(0, 1024)
with open("number.new", "w") as file:
    file.write(str(os.getpid()))
os.rename("number.new", "number")
time.sleep(60)
"""
    )
    environment = clean_environment(HAKMEM_STATS_SOCKET="1")
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=environment, timeout=60)
    wait_until((tmp_path / "number").exists)
    process_id = int((tmp_path / "number").read_text())
    told_by(process_id, tmp_path)
    os.kill(process_id, signal.SIGKILL)


def test_exec_ends_it(tmp_path: Path) -> None:
    program = start_served(ENABLE + "os.execv('/bin/sh', ['sh', '-c', 'echo ready; read line; exit 0'])", cwd=tmp_path)
    assert socket_names(program.pid) == []
    result = hakmem_command("stats", str(program.pid), cwd=tmp_path)
    assert f"process {program.pid} does not serve its stats" in result.stderr
    end(program)


@pytest.mark.parametrize("method", ["fork", "forkserver", "spawn"])
def test_multiprocessing(tmp_path: Path, method: str) -> None:
    program = f"""
import hakmem, multiprocessing, os, subprocess, sys, time
def work(number):
    return number * number
if __name__ == "__main__":
    hakmem.enable()
    context = multiprocessing.get_context({method!r})
    subprocess.run(["true"], close_fds=False, check=True)
    with context.Pool(2) as pool:
        assert pool.map(work, range(100)) == [number * number for number in range(100)]
        os.write(1, b"ready\\n")
        os.read(0, 1)
        pool.close()
        pool.join()
"""
    script(tmp_path, program)
    served = start_served("import runpy; runpy.run_path('program.py', run_name='__main__')", cwd=tmp_path)
    told_by(served.pid, tmp_path)
    for child in children_of(served.pid) if method == "fork" else ():
        told_by(child, tmp_path)
    ends_quietly(served)


@pytest.mark.parametrize(
    "ending",
    [
        "os._exit(0)",
        "import atexit; atexit.register(time.sleep, 0.2)",
        "import threading; threading.Thread(target=time.sleep, args=[60], daemon=True).start()",
        "sys.stdout.close(); sys.stderr.close()",
        "import signal; signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())",
        "import resource; resource.setrlimit(resource.RLIMIT_NOFILE, (0, 0))",
        "import gc; gc.callbacks.clear(); sys.modules.clear()",
    ],
)
def test_every_end_is_quick_and_quiet(tmp_path: Path, ending: str) -> None:
    program = start_served(ENABLE + READY_AND_END + "\n" + ending, cwd=tmp_path)
    told_by(program.pid, tmp_path)
    ends_quietly(program)


def test_killed_process_leaves_nothing(tmp_path: Path) -> None:
    code = ENABLE + "child = os.fork()\nif child == 0: os.closerange(0, 3); time.sleep(60)"
    program = start_served(code + READY_AND_WAIT, cwd=tmp_path)
    (child,) = children_of(program.pid)
    wait_until(lambda: socket_names(child))
    end(program)
    assert (socket_names(program.pid), len(socket_names(child))) == ([], 1)
    told_by(child, tmp_path)
    os.kill(child, signal.SIGKILL)


FORKED_IN_C = """
import ctypes
def is_quick(call):
    begin = time.monotonic()
    call()
    assert time.monotonic() - begin < 0.5
def fork_in_python():
    if os.fork() == 0:
        os._exit(0)
    os.wait()
hakmem.mark("in the parent")
os.write(1, b"ready\\n")
child = {call}
if child == 0:
    is_quick(lambda: hakmem.mark("in the child"))
    {then}
    os.write(1, b"child\\n")
time.sleep(60)
"""


@pytest.mark.parametrize("call", [f"ctypes.PyDLL(None).{name}" for name in ("fork()", "_Fork()", "syscall(NUMBER)")])
@pytest.mark.parametrize("then", ["is_quick(fork_in_python)", "import gc; gc.collect()"])
@also_on_stock
def test_child_of_which_python_is_told_nothing(tmp_path: Path, call: str, then: str, variables: dict[str, str]) -> None:
    """A host in C forks its workers so. They serve themselves once Python runs its collector, or forks, in them."""
    if "_Fork" in call and not hasattr(ctypes.CDLL(None), "_Fork"):
        pytest.skip("the C library has no _Fork")
    if "NUMBER" in call and platform.machine() != "x86_64":
        pytest.skip("the number of the call is another one")
    code = ENABLE + FORKED_IN_C.format(call=call.replace("NUMBER", "57"), then=then)
    program = start_served(code, cwd=tmp_path, **variables)
    assert program.stdout is not None
    assert program.stdout.readline() == "child\n"
    (child,) = children_of(program.pid)
    if not variables:
        assert [event["mark"] for event in told_by(child, tmp_path)["marks"] if "mark" in event] == ["in the child"]
        told_by(program.pid, tmp_path)
    os.kill(child, signal.SIGKILL)
    end(program)


FIRST_OF_ITS_NAMESPACE = """
import ctypes, gc
assert os.getpid() == 1
def is_quick(call):
    begin = time.monotonic()
    call()
    assert time.monotonic() - begin < 0.5
def is_served():
    with open("/proc/self/net/unix") as file:
        return file.read().count("@hakmem.stats.1.")
def fork_in_python():
    if os.fork() == 0:
        os._exit(0)
    os.wait()
def pause():
    with hakmem.quiesce():
        pass
NEW_PID, SIGCHLD = 0x20000000, 17
child = ctypes.PyDLL(None).syscall(56, NEW_PID | SIGCHLD, 0, 0, 0, 0)
if child == 0:
    assert os.getpid() == 1
    is_quick(fork_in_python)
    is_quick(pause)
    assert is_served() == 2
    sys.exit()
assert os.waitpid(child, 0)[1] == 0
print(is_served())
"""


@as_root
@pytest.mark.skipif(shutil.which("unshare") is None or platform.machine() != "x86_64", reason="cannot be set up here")
def test_child_with_the_number_of_its_parent(tmp_path: Path) -> None:
    """Both are the first of their PID namespace. The figures at the end are the parent's alone."""
    command = ["unshare", "--net", "--pid", "--fork", sys.executable, "-c", ENABLE + FIRST_OF_ITS_NAMESPACE]
    result = run(
        command, environment=clean_environment(HAKMEM_STATS_SOCKET="1", HAKMEM_STATS_AT_EXIT="1"), cwd=tmp_path
    )
    assert (result.returncode, result.stdout) == (0, "1\n"), result.stderr
    assert result.stderr.count("hakmem: stats") == 1
