"""The socket behind `hakmem stats`: descriptors and directories are the program's, and nothing stays behind."""

from __future__ import annotations

import errno
import os
import sys
from pathlib import Path

from measure_support import end, socket_names
from python_support import SECONDS_MAX, clean_environment, json_of, run
from stats_support import (
    ENABLE,
    READY_AND_END,
    READY_AND_WAIT,
    also_on_stock,
    as_root,
    ends_quietly,
    is_told_but_on_stock,
    start_served,
    told_by,
)

TAKE_ALL_NUMBERS = """
import socket
os.closerange({first}, 1024)
pairs = [socket.socketpair() for _ in range(20)]
"""
NOTHING_HAPPENED = """
for pair in pairs:
    for end in pair:
        end.setblocking(False)
        try:
            raise SystemExit(f"somebody used it: {end.recv(100)!r}")
        except BlockingIOError:
            pass
"""


@also_on_stock
def test_numbers_of_descriptors_are_the_programs(tmp_path: Path, variables: dict[str, str]) -> None:
    code = ENABLE + TAKE_ALL_NUMBERS.format(first=3) + READY_AND_END + NOTHING_HAPPENED
    program = start_served(code, cwd=tmp_path, **variables)
    is_told_but_on_stock(program.pid, tmp_path, variables)
    ends_quietly(program)


@also_on_stock
def test_nothing_hangs_where_nobody_asked(tmp_path: Path, variables: dict[str, str]) -> None:
    """A question would wake a thread that waits for one of the program's descriptors."""
    code = ENABLE + TAKE_ALL_NUMBERS.format(first=3) + READY_AND_END + NOTHING_HAPPENED
    ends_quietly(start_served(code, cwd=tmp_path, **variables))


KEPT = """
import atexit, gc, json, os, signal, sys, threading
def kept():
    hooks = [sys.excepthook, sys.unraisablehook, sys.gettrace(), sys.getprofile(), threading.excepthook]
    return {
        "handlers": [str(signal.getsignal(number)) for number in sorted(signal.valid_signals())],
        "blocked signals": sorted(map(int, signal.pthread_sigmask(signal.SIG_BLOCK, []))),
        "descriptors": os.listdir("/proc/self/fd"),
        "environment": dict(os.environ),
        "folder": os.getcwd(),
        "threads of Python": [thread.name for thread in threading.enumerate()],
        "hooks": [str(hook) for hook in hooks],
        "functions at exit": atexit._ncallbacks(),
        "functions of the collector": len(gc.callbacks),
    }
before = kept()
import hakmem
hakmem.enable()
hakmem.mark("x")
gc.collect()
after = kept()
differs = {name: [before[name], after[name]] for name in before if before[name] != after[name]}
print(json.dumps(differs))
"""


@also_on_stock
def test_process_keeps_what_the_manual_lists(variables: dict[str, str]) -> None:
    """docs/python.md: a function at exit, for the stats table, and one in gc.callbacks; on stock neither."""
    told = json_of(KEPT, environment=clean_environment(HAKMEM_STATS_SOCKET="1", **variables))
    assert told == ({} if variables else {"functions at exit": [0, 1], "functions of the collector": [0, 1]})


def test_none_is_there_to_be_counted_or_inherited(tmp_path: Path) -> None:
    code = "import os; before = os.listdir('/proc/self/fd')\n" + ENABLE
    code += "assert os.listdir('/proc/self/fd') == before, os.listdir('/proc/self/fd')" + READY_AND_END
    program = start_served(code, cwd=tmp_path)
    told_by(program.pid, tmp_path)
    ends_quietly(program)


@also_on_stock
def test_standard_streams_may_be_closed_and_taken_too(tmp_path: Path, variables: dict[str, str]) -> None:
    code = ENABLE + "os.write(1, b'ready\\n')" + TAKE_ALL_NUMBERS.format(first=0)
    code += "time.sleep(1)" + NOTHING_HAPPENED + "os.execv('/bin/sh', ['sh', '-c', 'exit 7'])"
    program = start_served(code, cwd=tmp_path, **variables)
    is_told_but_on_stock(program.pid, tmp_path, variables)
    output, errors = program.communicate(timeout=SECONDS_MAX)
    assert (program.returncode, output, errors) == (7, "", "")


@also_on_stock
def test_what_the_program_closes_is_closed(tmp_path: Path, variables: dict[str, str]) -> None:
    """The thread keeps no copy of a descriptor: a reader sees the end, a port is free again, a lock is gone."""
    code = """
import fcntl, hakmem, os, socket, sys, time
read_end, write_end = os.pipe()
listener = socket.create_server(("127.0.0.1", 0))
locked = open("locked", "w")
fcntl.lockf(locked, fcntl.LOCK_EX)
hakmem.enable()
os.close(write_end)
assert os.read(read_end, 1) == b""
address = listener.getsockname()
listener.close()
socket.create_server(address).close()
child = os.fork()
if child == 0:
    with open("locked", "w") as again:
        try:
            fcntl.lockf(again, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os._exit(0)
        os._exit(1)
assert os.waitpid(child, 0)[1] == 0, "the lock was lost"
"""
    program = start_served(code + READY_AND_END, cwd=tmp_path, **variables)
    is_told_but_on_stock(program.pid, tmp_path, variables)
    ends_quietly(program)


def test_what_the_program_closes_is_closed_at_once(tmp_path: Path) -> None:
    """A thread that begins holds copies of all that is open, and has let go of them before the program goes on."""
    code = """
end = time.monotonic() + 4
while time.monotonic() < end:
    with hakmem.quiesce():
        pass
    for _ in range(60):
        read_end, write_end = os.pipe2(os.O_NONBLOCK)
        os.close(write_end)
        assert os.read(read_end, 1) == b""  # no BlockingIOError
        os.close(read_end)
"""
    program = start_served(ENABLE + code + READY_AND_END, cwd=tmp_path)
    told_by(program.pid, tmp_path)
    ends_quietly(program)


WITHOUT_CALLS = """
import ctypes, os, platform, struct, sys
ALLOW, REFUSE = 0x7FFF0000, 0x00050000
def refuse(numbers):  # a filter of the kernel's: these calls fail from here on, with this error
    rows = [(0x20, 0, 0, 0)]
    for number, error in numbers.items():
        rows += [(0x15, 0, 1, number), (0x06, 0, 0, REFUSE | error)]
    rows.append((0x06, 0, 0, ALLOW))
    code = b"".join(struct.pack("HBBI", *row) for row in rows)
    buffer = ctypes.create_string_buffer(code)
    program = struct.pack("HL", len(rows), ctypes.addressof(buffer))
    libc = ctypes.CDLL(None, use_errno=True)
    assert libc.prctl(38, 1, 0, 0, 0) == 0
    assert libc.prctl(22, 2, ctypes.create_string_buffer(program), 0, 0) == 0, ctypes.get_errno()
CLOSE_RANGE, UNSHARE = 436, {"x86_64": 272, "aarch64": 97}[platform.machine()]
SOCKET = {"x86_64": 41, "aarch64": 198}[platform.machine()]
"""


def test_kernel_without_close_range(tmp_path: Path) -> None:
    code = WITHOUT_CALLS + f"refuse({{CLOSE_RANGE: {errno.ENOSYS}}})\n" + ENABLE + TAKE_ALL_NUMBERS.format(first=3)
    program = start_served(code + READY_AND_END + NOTHING_HAPPENED, cwd=tmp_path)
    told_by(program.pid, tmp_path)
    (thread,) = [number for number in os.listdir(f"/proc/{program.pid}/task") if number != str(program.pid)]
    assert len(os.listdir(f"/proc/{program.pid}/task/{thread}/fd")) == 2  # what it listens on, and is woken by
    ends_quietly(program)


def test_no_descriptor_is_opened_to_stop_the_thread(tmp_path: Path) -> None:
    """Another thread of the program's may take its number for its own at that moment, and we would close that one."""
    code = f"""
refuse({{SOCKET: {errno.EPERM}}})  # to this thread and what it starts
with hakmem.quiesce():
    assert len(os.listdir("/proc/self/task")) == 1
"""
    program = start_served(WITHOUT_CALLS + ENABLE + code + READY_AND_END, cwd=tmp_path)
    ends_quietly(program)


def test_no_place_for_the_socket_is_one_warning(tmp_path: Path) -> None:
    code = f"refuse({{CLOSE_RANGE: {errno.EPERM}, UNSHARE: {errno.EPERM}}})\nimport hakmem; print(hakmem.enable())"
    command = [sys.executable, "-c", WITHOUT_CALLS + code]
    result = run(command, environment=clean_environment(HAKMEM_STATS_SOCKET="1"))
    assert result.stdout == "True\n"
    assert result.stderr == "hakmem: warning: the stats are not served: unshare: Operation not permitted\n"


def test_warning_that_nobody_can_read_stops_nothing() -> None:
    code = f"refuse({{CLOSE_RANGE: {errno.EPERM}, UNSHARE: {errno.EPERM}}})\nimport hakmem; print(hakmem.enable())"
    for stream in ("/dev/full", "/dev/null; exec 2>&-"):
        shell = f'exec 2>{stream}; exec "$@"'
        command = ["sh", "-c", shell, "sh", sys.executable, "-c", WITHOUT_CALLS + code]
        result = run(command, environment=clean_environment(HAKMEM_STATS_SOCKET="1"))
        assert result.stdout == "True\n"


# ---- Files ----


def test_no_file_is_made_and_none_stays(tmp_path: Path) -> None:
    def files() -> set[str]:
        return {str(path) for place in ("/tmp", f"/run/user/{os.geteuid()}") for path in Path(place).glob("*hakmem*")}

    before = files()
    program = start_served(ENABLE + READY_AND_WAIT, cwd=tmp_path)
    assert len(socket_names(program.pid)) == 1
    assert files() == before
    end(program)
    assert socket_names(program.pid) == []


@as_root
def test_no_directory_is_needed(tmp_path: Path) -> None:
    code = "import hakmem, hakmem.measure.server, os, sys, time\nos.chroot('.'); hakmem.enable()" + READY_AND_END
    program = start_served(code, cwd=tmp_path)
    told_by(program.pid, tmp_path)
    ends_quietly(program)


@as_root
def test_a_place_of_packages_that_was_left_behind_is_no_error(tmp_path: Path) -> None:
    code = """
import hakmem, os
os.chroot('.')
print(hakmem.enable(), hakmem.mark('nobody listens'))
"""
    variables = {"HAKMEM_STATS_SOCKET": "1", "HAKMEM_STATS_AT_EXIT": "1", "_HAKMEM_MARKS_FILE": "marks"}
    result = run([sys.executable, "-c", code], environment=clean_environment(**variables), cwd=tmp_path)
    assert (result.returncode, result.stdout, result.stderr) == (0, "True None\n", "")
