"""The thread behind `hakmem stats`: whoever replaces, lists, traces, awaits or schedules threads does not meet it."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest
from python_support import clean_environment
from stats_support import (
    ENABLE,
    READY_AND_END,
    also_on_stock,
    ends_quietly,
    is_told_but_on_stock,
    start_served,
    told_by,
)


def test_python_does_not_know_of_it(tmp_path: Path) -> None:
    code = (
        ENABLE
        + """
import threading
def is_met(*_):
    is_met.often += 1
is_met.often = 0
sys.settrace(lambda frame, event, argument: None)
for setter in (threading.settrace, threading.setprofile):
    setter(is_met)
os.write(1, b"ready\\n")
os.read(0, 1)
assert threading.enumerate() == [threading.main_thread()], threading.enumerate()
assert len(sys._current_frames()) == 1
assert is_met.often == 0
"""
    )
    program = start_served(code, cwd=tmp_path)
    told_by(program.pid, tmp_path)
    ends_quietly(program)


def test_it_blocks_all_signals(tmp_path: Path) -> None:
    program = start_served(ENABLE + READY_AND_END, cwd=tmp_path)
    (thread,) = [path for path in Path(f"/proc/{program.pid}/task").iterdir() if path.name != str(program.pid)]
    status = dict(line.split(":\t") for line in (thread / "status").read_text().splitlines())
    assert status["Name"] == "hakmem stats"
    # All but SIGKILL, SIGSTOP, and the two that the C library keeps to itself.
    assert int(status["SigBlk"], 16) | 1 << 8 | 1 << 18 | 1 << 31 | 1 << 32 | 1 << 33 == (1 << 64) - 1
    ends_quietly(program)


@pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="one processor, which all threads have")
def test_it_is_scheduled_as_the_process_is(tmp_path: Path) -> None:
    """Not as the thread that starts it."""
    code = """
import os, threading, hakmem
def enable_specially():
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    try:
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
    except PermissionError:
        pass  # the processors are a test by themselves
    before = set(os.listdir("/proc/self/task"))
    hakmem.enable()
    (number,) = [int(name) for name in set(os.listdir("/proc/self/task")) - before]
    assert os.sched_getscheduler(number) == os.SCHED_OTHER
    assert os.sched_getaffinity(number) == os.sched_getaffinity(os.getpid())
    os.write(1, b"ready\\n")
thread = threading.Thread(target=enable_specially)
thread.start()
thread.join()
os.read(0, 1)
"""
    ends_quietly(start_served(code, cwd=tmp_path))


@pytest.mark.parametrize("others", ["", "threading.Thread(target=time.sleep, args=[0.5]).start()"])
@pytest.mark.parametrize("child", ["", "if os.fork(): os._exit(os.waitstatus_to_exitcode(os.wait()[1]))"])
@also_on_stock
def test_process_ends_with_the_last_thread_of_the_program(
    tmp_path: Path, others: str, child: str, variables: dict[str, str]
) -> None:
    """Where the main thread leaves, and what the C library has not written yet is written by who ends the process."""
    code = f"""
import ctypes, threading
{child}
{others}
library = ctypes.CDLL(None)
library.prctl(1, 9)  # a child that does not end goes with its parent
library.setvbuf(ctypes.c_void_p.in_dll(library, "stdout"), None, 0, 4096)
library.printf(b"written at the end")
library.pthread_exit(None)
"""
    environment = clean_environment(HAKMEM_STATS_SOCKET="1", **variables)
    command = [sys.executable, "-c", ENABLE + code]
    # A process that has no thread left but one that blocks SIGTERM is ended by SIGKILL alone, as here.
    result = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=20)
    assert (result.returncode, result.stdout, result.stderr) == (0, "written at the end", "")


def test_a_question_is_answered_while_the_program_keeps_the_gil(tmp_path: Path) -> None:
    code = (
        ENABLE
        + """
import ctypes
os.write(1, b"ready\\n")
ctypes.PyDLL(None).sleep(20)
"""
    )
    program = start_served(code, cwd=tmp_path)
    told_by(program.pid, tmp_path)
    program.kill()
    program.communicate()


PATCH = {
    "gevent": "import gevent.monkey; gevent.monkey.patch_all()\n",
    "eventlet": "import warnings; warnings.simplefilter('ignore'); import eventlet; eventlet.monkey_patch()\n",
}
FORK = """
import threading
child = os.fork()
if child == 0:
    thread = threading.Thread(target=time.sleep, args=[0.01])
    thread.start()
    thread.join()
    hakmem.mark("in the child")
    sys.exit(0)
assert os.waitpid(child, 0)[1] == 0
"""


@pytest.mark.parametrize("order", ["before", "after"])
@pytest.mark.parametrize("library", PATCH)
@also_on_stock
def test_patched_threads(tmp_path: Path, library: str, order: str, variables: dict[str, str]) -> None:
    if importlib.util.find_spec(library) is None:
        pytest.skip(f"no {library}: pip install {library}")
    code = PATCH[library] + ENABLE if order == "before" else ENABLE + PATCH[library]
    program = start_served("import os, sys, time\n" + code + FORK + READY_AND_END, cwd=tmp_path, **variables)
    is_told_but_on_stock(program.pid, tmp_path, variables)
    ends_quietly(program)


SUB_INTERPRETER = (
    ENABLE
    + """
try:
    import _interpreters as interpreters
except ImportError:
    import _xxsubinterpreters as interpreters
import threading
number = interpreters.create()
code = "import hakmem; hakmem.enable(); hakmem.mark('below'); import gc; gc.collect()"
thread = threading.Thread(target=interpreters.run_string, args=(number, code))
thread.start()
thread.join()
interpreters.destroy(number)
"""
)


@pytest.mark.skipif(sys.version_info < (3, 11), reason="no sub-interpreters in the standard library to speak of")
def test_sub_interpreters_come_and_go(tmp_path: Path) -> None:
    program = start_served(SUB_INTERPRETER + READY_AND_END, cwd=tmp_path)
    assert {"below"} >= {event.get("mark") for event in told_by(program.pid, tmp_path)["marks"] if "mark" in event}
    ends_quietly(program)
