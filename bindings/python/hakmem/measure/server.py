"""Inside a process under hakmem: lets its figures be asked for by `hakmem stats`, where the option asks for that.

Whoever connects gets one JSON document and the end of the stream; nothing is read from him. All of it is in C
(bindings/python/src/stats_thread.h): a thread that Python does not know of, with descriptors that the program does not
see. Here are the words that it begins with, and its place among the hooks of a fork. Light to import: it is in servers,
which may have no place any more to import from.
"""

import gc
import os
import sys

import hakmem
from hakmem import _hakmem, message
from hakmem.measure import marks

FORMAT = 1
# Of the socket's name, which goes on with the number of the process, a full stop and a number.
NAME_PREFIX = "hakmem.stats."

_is_served = False


def serve() -> None:
    """Serve this process's figures from here on, or say why that cannot be."""
    global _is_served  # noqa: PLW0603 - once per interpreter: a second one has hooks of its own
    if _is_served:
        return
    marks.listen()
    marks.listen_to_collector()
    counts = [row[name] for row in gc.get_stats() for name in ("collections", "collected", "uncollectable")]
    _hakmem.keep_events(tuple(counts))
    try:
        _hakmem.serve_stats(NAME_PREFIX, _identity())
    except OSError as error:  # its filename is the call that failed
        message.say(f"warning: the stats are not served: {error.filename}: {error.strerror}")
        return
    _is_served = True
    os.register_at_fork(
        before=_hakmem.before_fork,
        after_in_parent=_hakmem.after_fork_in_parent,
        after_in_child=_hakmem.after_fork_in_child,
    )


def _identity() -> str:
    """Return what the process tells of itself that does not change, as the inside of a JSON object."""
    texts = {"python": sys.version.split()[0], "executable": sys.executable, "hakmem": hakmem.__version__}
    texts["malloc"] = "hakmem" if _hakmem.malloc_is_served() else "the C library's"
    return ", ".join(
        [f'"hakmem_process": {FORMAT}', *(f'"{name}": {_hakmem.quoted(text or "")}' for name, text in texts.items())]
    )
