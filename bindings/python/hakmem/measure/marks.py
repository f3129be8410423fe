"""Inside the measured process: named moments and full runs of the garbage collector, noted for whoever records.

Two listeners: a file, named by the environment of a process that `hakmem record` or `hakmem compare` started, and a
short memory, for the stats socket. Without either, `hakmem.mark` costs an audit event that nobody hears.
"""

import collections
import contextlib
import gc
import json
import math
import os
import time
from typing import Any

import hakmem

# Not an option for users: what `record` and `compare` say to the process that they start.
FILE_VARIABLE = "_HAKMEM_MARKS_FILE"
GC_VARIABLE = "_HAKMEM_GC_RUNS"
FULL_GENERATION = 2
KEPT_MAX = 1000
# What an event may say, beside its moment.
EVENT_FIELDS: "dict[str, tuple[type, ...]]" = {
    "mark": (str,),
    "gc_seconds": (float,),
    "collected": (int,),
    "pid": (int,),
}

kept: "collections.deque[dict[str, Any]]" = collections.deque(maxlen=KEPT_MAX)
_file = -1
_gc_begin_seconds = 0.0


def listen() -> None:
    """Note marks from here on, in the file that the environment names, if it does; and runs of the collector."""
    global _file  # noqa: PLW0603 - once per process
    if hakmem._mark_listener is not None:
        return
    path = os.environ.get(FILE_VARIABLE)
    if path:
        with contextlib.suppress(OSError):  # whoever recorded has ended
            _file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)
    hakmem._mark_listener = _note_mark
    if path is None or GC_VARIABLE in os.environ:  # without a file the stats socket listens
        gc.callbacks.append(_note_collection)


def _note_mark(text: str) -> None:
    _note({"mark": text})


def _note_collection(phase: str, information: dict[str, int]) -> None:
    global _gc_begin_seconds  # noqa: PLW0603
    if information["generation"] != FULL_GENERATION:
        return
    if phase == "start":
        _gc_begin_seconds = time.monotonic()
    else:
        _note({"gc_seconds": round(time.monotonic() - _gc_begin_seconds, 6), "collected": information["collected"]})


def _note(event: dict[str, Any]) -> None:
    event |= {"monotonic": round(time.monotonic(), 4), "pid": os.getpid()}
    kept.append(event)
    if _file >= 0:
        with contextlib.suppress(OSError):  # a full disk must not stop the program
            os.write(_file, json.dumps(event).encode() + b"\n")  # one write: lines of several processes do not mix


def read_file(path: str, start_seconds: float) -> list[dict[str, Any]]:
    """Return the events of a file with their `seconds` since a monotonic moment; a half line at the end is left out."""
    with open(path, "rb") as file:
        lines = file.read().split(b"\n")
    told = []
    for line in lines:
        with contextlib.suppress(ValueError, RecursionError):
            told.append(json.loads(line))
    return since(told, start_seconds)


def since(told: Any, start_seconds: float) -> list[dict[str, Any]]:
    """Return events with their times counted from a monotonic moment, without what is none: others may have written."""
    return [
        {"seconds": round(event["monotonic"] - start_seconds, 4)}
        | {name: event[name] for name, kinds in EVENT_FIELDS.items() if isinstance(event.get(name), kinds)}
        for event in (told if isinstance(told, list) else [])
        if _is_event(event)
    ]


def _is_event(event: Any) -> bool:
    if not isinstance(event, dict):
        return False
    monotonic = event.get("monotonic")
    has_moment = isinstance(monotonic, float) and math.isfinite(monotonic)
    return has_moment and (isinstance(event.get("mark"), str) or isinstance(event.get("gc_seconds"), float))
