"""Asks a process under hakmem for its figures, through the socket of measure/server.py."""

import json
import os
import socket
import time
from typing import Any

from hakmem.measure import kernel, languages, server
from hakmem.measure.errors import MeasureError

SECONDS_MAX = 5.0


def ask(process_id: int) -> dict[str, Any]:
    """Return what a process tells of itself (server.collect). Raises MeasureError where it does not."""
    kernel.check_readable(process_id)
    path = _socket_of(process_id)
    if path is None:
        how = languages.HOW_TO_TELL[languages.language_of(process_id)]
        raise MeasureError(f"process {process_id} does not serve its stats; {how}")
    return _ask_socket(process_id, path, SECONDS_MAX)


def ask_if_served(process_id: int, seconds_max: float) -> dict[str, Any] | None:
    """Return the same, or None where it does not, or not within this time."""
    try:
        path = _socket_of(process_id)
        return None if path is None else _ask_socket(process_id, path, seconds_max)
    except MeasureError:
        return None


def _socket_of(process_id: int) -> str | None:
    user_id = kernel.user_of(process_id)
    for directory in server.directories(user_id):
        path = server.socket_path(directory, process_id)
        # A directory of somebody else's could hold a socket that tells lies.
        if server.is_private(directory, user_id) and os.path.exists(path):
            return path
    return None


def _ask_socket(process_id: int, path: str, seconds_max: float) -> dict[str, Any]:
    content = b""
    user_id = kernel.user_of(process_id)
    end = time.monotonic() + seconds_max
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(seconds_max)
        try:
            connection.connect(path)
            if server.peer_user(connection) != user_id:
                raise MeasureError(f"{path} is served by another user; nothing was read")
            while chunk := connection.recv(65536):
                content += chunk
                connection.settimeout(max(end - time.monotonic(), 0.001))
        except TimeoutError:
            raise MeasureError(
                f"process {process_id} did not answer within {seconds_max:g} s: it is stopped, or keeps its other"
                " threads from running"
            ) from None
        except OSError as error:
            raise MeasureError(f"process {process_id} does not answer at {path}: {error.strerror}") from None
    try:
        told: dict[str, Any] = json.loads(content)
        told_format = told["hakmem_process"]
    except (ValueError, KeyError, TypeError):
        raise MeasureError(f"process {process_id} broke off its answer; it may have ended") from None
    if told_format != server.FORMAT:
        raise MeasureError(f"process {process_id} runs hakmem {told.get('hakmem')}, which tells its figures otherwise")
    return told
