"""Asks a process under hakmem for its figures, through the socket of measure/server.py.

The socket's name may have been taken by anybody, so the kernel is asked who made it, and who wrote each part of what
is told.
"""

import os
import re
import socket
import struct
import time
from typing import Any

from hakmem.measure import answer, kernel, languages, server
from hakmem.measure.measure_error import MeasureError

SECONDS_MAX = 5.0
# A process that forks has no socket for a moment.
PATIENCE_SECONDS = 0.25
PAUSE_SECONDS = 0.01
MEBIBYTE = 1024 * 1024
ANSWER_BYTES_MAX = 64 * MEBIBYTE
CREDENTIALS = struct.Struct("3i")  # process, user, group


def ask(process_id: int) -> dict[str, Any]:
    """Return what a process tells of itself. Raises MeasureError where it does not."""
    leader = kernel.process_of(process_id)
    if leader != process_id:
        raise MeasureError(f"{process_id} is a thread of process {leader}; ask that one")
    told = _ask(process_id, SECONDS_MAX, PATIENCE_SECONDS)
    if told is None:
        raise MeasureError(_why_nothing_is_served(process_id))
    if not answer.is_understood(told):
        raise MeasureError(f"process {process_id} runs hakmem {told.get('hakmem')}, which tells its figures otherwise")
    return told


def ask_if_served(process_id: int, seconds_max: float) -> dict[str, Any] | None:
    """Return the same, or None where it does not, or not within this time."""
    try:
        told = _ask(process_id, seconds_max, 0.0)
    except MeasureError:
        return None
    return told if told and answer.is_understood(told) else None


def _ask(process_id: int, seconds_max: float, patience_seconds: float) -> dict[str, Any] | None:
    """Return the answer, or None where there is no socket that could give one. Raises MeasureError."""
    begin = time.monotonic()
    while True:
        problem = None
        for address in _addresses_of(process_id, os.getpid()):
            try:
                content = _converse(process_id, address, begin + seconds_max)
                if content is not None:
                    return _document(process_id, content)
            except TimeoutError:
                raise MeasureError(
                    f"process {process_id} did not answer within {seconds_max:g} s: it is stopped, or answers others"
                ) from None
            except OSError as error:
                problem = MeasureError(f"process {process_id} does not answer: {error.strerror}")
            except MeasureError as error:
                problem = error
        if time.monotonic() >= begin + patience_seconds:
            if problem is not None:
                raise problem
            return None
        time.sleep(PAUSE_SECONDS)


def _addresses_of(process_id: int, seen_by: int) -> list[bytes]:
    """Return the names of sockets that say to be of this process, in the network that another one sees."""
    name = re.escape(f"{server.NAME_PREFIX}{kernel.own_number_of(process_id)}.".encode()) + rb"[0-9a-f]+"
    return [b"\0" + found for found in re.findall(rb"@(" + name + rb")$", kernel.unix_sockets(seen_by), re.MULTILINE)]


def _converse(process_id: int, address: bytes, end: float) -> bytes | None:
    """Return all that is written there; None where it is not this process that writes. Raises OSError."""
    content = bytearray()
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(max(end - time.monotonic(), 0.001))
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        connection.connect(address)
        maker = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, CREDENTIALS.size)
        if CREDENTIALS.unpack(maker)[0] != process_id:
            return None
        while True:
            chunk, ancillary, _, _ = connection.recvmsg(65536, socket.CMSG_SPACE(CREDENTIALS.size))
            if not chunk:
                return bytes(content)
            writers = [CREDENTIALS.unpack(data)[0] for _, kind, data in ancillary if kind == socket.SCM_CREDENTIALS]
            if writers != [process_id]:  # its number had another owner, who gave the socket away
                return None
            content += chunk
            if len(content) > ANSWER_BYTES_MAX:
                raise MeasureError(f"process {process_id} tells more than {ANSWER_BYTES_MAX // MEBIBYTE} MiB of itself")
            if time.monotonic() > end:  # who writes on and on is always in time for the next part
                raise TimeoutError
            connection.settimeout(max(end - time.monotonic(), 0.001))


def _document(process_id: int, content: bytes) -> dict[str, Any]:
    if not content:
        owner_id = kernel.user_of(process_id)
        if os.geteuid() not in (0, owner_id):
            advice = "root; run this as root (sudo)"
            if owner_id != 0:
                advice = f"{kernel.owner_name(process_id)} and root; run this as one of them"
            raise MeasureError(f"process {process_id} answers {advice}")
        raise MeasureError(f"process {process_id} gave no answer; it is out of memory, or runs as another user by now")
    told = answer.parse(content)
    if told is None:
        raise MeasureError(f"process {process_id} broke off its answer; it may have ended, or forks all the time")
    return told | {"pid": process_id}  # it may know itself by another number


def _why_nothing_is_served(process_id: int) -> str:
    """Return it, and what to do. Raises MeasureError where the process may not be looked at."""
    if _addresses_of(process_id, process_id):
        if kernel.has_our_network(process_id):
            return f"process {process_id} forks all the time, and serves its stats between two forks alone; ask again"
        command = f"nsenter --target {process_id} --net hakmem stats {process_id}"
        return f"process {process_id} serves its stats in another network namespace; ask there: {command}"
    kernel.check_readable(process_id)
    if b"HAKMEM_STATS_SOCKET=1" in kernel.environment(process_id):
        reason = (
            "hakmem is not enabled in it; or its environment of Python lacks the package hakmem, which a child of"
            " 'hakmem run --all' needs for that; or a program in C forked it and no garbage was collected in it since"
        )
        return f"process {process_id} does not serve its stats, though HAKMEM_STATS_SOCKET is 1: {reason}"
    how = languages.HOW_TO_TELL[languages.language_of(process_id)]
    return f"process {process_id} does not serve its stats; {how}"
