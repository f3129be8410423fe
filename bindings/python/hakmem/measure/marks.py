"""Inside the measured process: named moments and full runs of the garbage collector, noted for whoever records.

Two listeners: a file, named by the environment of a process that `hakmem record` or `hakmem compare` started, and a
short memory, for the stats socket. Without either, `hakmem.mark` costs an audit event that nobody hears. What is kept
in the process between two events, and what its collector calls, is in C (bindings/python/src/events.h).
"""

import gc
import math
import os

import hakmem
from hakmem import _hakmem

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, BinaryIO

# Not an option for users: what `record` and `compare` say to the process that they start.
FILE_VARIABLE = "_HAKMEM_MARKS_FILE"
GC_VARIABLE = "_HAKMEM_GC_RUNS"
# What an event may say, beside its moment.
EVENT_FIELDS: "dict[str, tuple[type, ...]]" = {
    "mark": (str,),
    "gc_seconds": (float,),
    "collected": (int,),
    "pid": (int,),
}


def listen() -> None:
    """Note marks from here on, in the file that the environment names, if it does; and runs of the collector."""
    if hakmem._mark_listener is not None:
        return
    hakmem._mark_listener = _note_mark
    path = os.environ.get(FILE_VARIABLE)
    if path:
        _hakmem.open_events_file(os.fsencode(path), GC_VARIABLE in os.environ)
        if GC_VARIABLE in os.environ:
            listen_to_collector()


def listen_to_collector() -> None:
    """Note full runs of the garbage collector, and add up all of them."""
    callbacks = getattr(gc, "callbacks", None)  # CPython has them
    if callbacks is not None and _hakmem.note_collection not in callbacks:
        callbacks.append(_hakmem.note_collection)


def _note_mark(text: str) -> None:
    _hakmem.note_event(f'"mark": {_hakmem.quoted(text)}')


def read_file(file: "BinaryIO", start_seconds: float) -> "list[dict[str, Any]]":
    """Return the events of a file with their `seconds` since a monotonic moment, which counts as 0 for earlier ones.

    On a busy machine the program marks something before its caller starts the clock. A half line at the end is left
    out.
    """
    import contextlib
    import json

    file.seek(0)
    told = []
    for line in file.read().split(b"\n"):
        with contextlib.suppress(ValueError, RecursionError):
            told.append(json.loads(line))
    events = since(told, start_seconds)
    for event in events:
        event["seconds"] = max(event["seconds"], 0.0)
    return events


def since(told: "Any", start_seconds: float) -> "list[dict[str, Any]]":
    """Return events with their times counted from a monotonic moment, without what is none: others may have written."""
    return [
        {"seconds": round(event["monotonic"] - start_seconds, 4)}
        | {name: event[name] for name, kinds in EVENT_FIELDS.items() if isinstance(event.get(name), kinds)}
        for event in (told if isinstance(told, list) else [])
        if _is_event(event)
    ]


def _is_event(event: "Any") -> bool:
    if not isinstance(event, dict):
        return False
    monotonic = event.get("monotonic")
    has_moment = isinstance(monotonic, float) and math.isfinite(monotonic)
    return has_moment and (isinstance(event.get("mark"), str) or isinstance(event.get("gc_seconds"), float))
