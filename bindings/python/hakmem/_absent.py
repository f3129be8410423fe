"""Stands in for the extension module on Pythons that are not CPython: says why, does nothing.

There are no options to list, and no functions that launch a program: `hakmem run` hands it to the interpreter.
"""

import os
import sys

from hakmem.errors import UnsupportedError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hakmem._types import OptionInfo, Stats

version = "0"


def obstacle() -> str:
    return f"{sys.implementation.name} manages its objects without CPython's allocators; hakmem needs CPython"


enable = obstacle


def allocator_name() -> None:
    return None


def malloc_is_served() -> bool:
    return False


def library_is_loaded(path: str) -> bool:
    return False


def executed_path() -> str:
    return ""


def disable() -> None:
    pass


settle_arrays = obstacle


def arrays_state() -> "tuple[str, str | None]":
    return "off", obstacle()


def find_numpy(*arguments: object) -> None:
    pass


def is_enabled() -> bool:
    return False


def trim() -> int:
    return 0


def quiesce_begin(*arguments: object) -> None:
    pass


def quiesce_end(*arguments: object) -> None:
    pass


def quiesce_after_fork_in_child() -> None:
    pass


def stats() -> "Stats":
    raise UnsupportedError(obstacle())


def options() -> "list[OptionInfo]":
    return []


def option_get(name: str) -> "int | str":
    raise UnsupportedError(obstacle())


def option_set(name: str, value: "int | str") -> None:
    raise UnsupportedError(obstacle())


_events_path = b""


def open_events_file(path: bytes, takes_collections: bool) -> None:
    global _events_path  # noqa: PLW0603 - once per process
    _events_path = path


def quoted(text: str) -> str:
    import json

    return json.dumps(text)


def note_event(fragment: str) -> None:
    import time

    line = f'{{{fragment}, "monotonic": {time.monotonic():.6f}, "pid": {os.getpid()}}}\n'
    try:
        # The name may have become somebody else's: neither a link is followed, nor is a pipe waited for.
        descriptor = os.open(_events_path, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return  # whoever recorded has ended
    try:
        os.write(descriptor, line.encode())
    except OSError:
        pass  # a full disk must not stop the program
    finally:
        os.close(descriptor)


def note_collection(phase: str, information: "dict[str, int]") -> None:
    pass
