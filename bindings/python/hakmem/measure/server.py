"""Inside a process under hakmem: a Unix socket that tells its figures to the same user, where the option asks for it.

Whoever connects gets one JSON document and the end of the stream; nothing is read from him. The socket lies in a
directory that only its user can enter, and the kernel's word on who connected is asked, too. A thread answers; it is
stopped around a fork, and a forked child gets a socket of its own. Standard library only: this runs in servers.
"""

import atexit
import contextlib
import gc
import json
import os
import platform
import select
import socket
import stat
import struct
import sys
import threading
import time

import hakmem
from hakmem.measure import marks

FORMAT = 1
SEND_SECONDS_MAX = 5.0


class Server:
    """The socket of one process and the thread that answers."""

    def __init__(self) -> None:
        """Bind the socket and start the thread. Raises OSError."""
        directory = make_directory(os.geteuid())
        remove_left_behind(directory)
        self._process = os.getpid()
        self._path = socket_path(directory, self._process)
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            if os.path.lexists(self._path):  # of a process that had this number before
                os.unlink(self._path)
            self._socket.bind(self._path)
            os.chmod(self._path, stat.S_IRUSR | stat.S_IWUSR)
            self._socket.listen(8)
        except OSError:
            self._socket.close()
            raise
        self._wake_read, self._wake_write = os.pipe()
        self.start_thread()

    def start_thread(self) -> None:
        """Answer from now on."""
        self._thread = threading.Thread(target=self._serve, name="hakmem stats", daemon=True)
        self._thread.start()

    def stop_thread(self) -> None:
        """Answer no more; the socket stays, and who connects meanwhile waits."""
        os.write(self._wake_write, b".")
        self._thread.join()

    def forget(self) -> None:
        """Close what a forked child inherited, without removing the parent's socket."""
        self._socket.close()
        os.close(self._wake_read)
        os.close(self._wake_write)

    def end(self) -> None:
        """Stop and remove the socket, in the process that made it."""
        if os.getpid() != self._process:
            return
        self.stop_thread()
        self.forget()
        with contextlib.suppress(OSError):
            os.unlink(self._path)

    def _serve(self) -> None:
        while True:
            ready, _, _ = select.select([self._socket.fileno(), self._wake_read], [], [])
            if self._wake_read in ready:
                os.read(self._wake_read, 1)
                return
            try:
                self._answer()
            except OSError:
                continue  # who asked has gone

    def _answer(self) -> None:
        connection, _ = self._socket.accept()
        with connection:
            if peer_user(connection) in (os.geteuid(), 0):
                connection.settimeout(SEND_SECONDS_MAX)
                connection.sendall(json.dumps(collect()).encode())


_server: "Server | None" = None


def serve() -> None:
    """Serve this process's figures from here on. Raises OSError where there is no place for the socket."""
    global _server  # noqa: PLW0603 - once per process
    if _server is not None:
        return
    marks.listen()
    _server = Server()
    atexit.register(_end)
    os.register_at_fork(before=_before_fork, after_in_parent=_after_fork_in_parent, after_in_child=_after_fork_in_child)


def collect() -> "dict[str, object]":
    """Return what the socket tells."""
    return {
        "hakmem_process": FORMAT,
        "pid": os.getpid(),
        "python": platform.python_version(),
        "executable": sys.executable,
        "hakmem": hakmem.__version__,
        "is_enabled": hakmem.is_enabled(),
        "monotonic": time.monotonic(),
        "stats": hakmem.stats(),
        "gc": gc.get_stats(),
        "marks": list(marks.kept),
    }


def directories(user_id: int) -> "list[str]":
    """Return where sockets of a user may lie, the best place first. Not from the environment: all must agree."""
    return [f"/run/user/{user_id}/hakmem", f"/tmp/hakmem-{user_id}"]


def socket_path(directory: str, process_id: int) -> str:
    """Return the path of a process's socket."""
    return os.path.join(directory, f"{process_id}.sock")


def is_private(directory: str, user_id: int) -> bool:
    """Tell whether it is a directory, no link, of this user, that nobody else can enter."""
    try:
        status = os.lstat(directory)
    except OSError:
        return False
    return stat.S_ISDIR(status.st_mode) and status.st_uid == user_id and not status.st_mode & 0o077


def make_directory(user_id: int) -> str:
    """Make the directory for the sockets of this user and return it. Raises OSError."""
    for directory in directories(user_id):
        try:
            os.mkdir(directory, 0o700)
        except FileExistsError:
            pass
        except OSError:
            continue
        if is_private(directory, user_id):
            return directory
    raise PermissionError(1, "it is not a directory of this user's alone", directories(user_id)[-1])


def remove_left_behind(directory: str) -> None:
    """Remove sockets of processes that ended without doing so themselves."""
    for name in os.listdir(directory):
        number = name.removesuffix(".sock")
        if number.isdigit() and not os.path.exists(f"/proc/{number}"):
            with contextlib.suppress(OSError):
                os.unlink(os.path.join(directory, name))


def peer_user(connection: socket.socket) -> int:
    """Return the user id of the process at the other end, from the kernel."""
    credentials = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    _, user_id, _ = struct.unpack("3i", credentials)
    return int(user_id)


def _end() -> None:
    if _server is not None:
        _server.end()


def _before_fork() -> None:
    if _server is not None:
        _server.stop_thread()


def _after_fork_in_parent() -> None:
    if _server is not None:
        _server.start_thread()


def _after_fork_in_child() -> None:
    global _server  # noqa: PLW0603
    if _server is None:
        return
    _server.forget()
    _server = None
    marks.kept.clear()
    with contextlib.suppress(OSError):  # the child goes on without
        _server = Server()
