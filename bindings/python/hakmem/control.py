"""Control of the hakmem in this process, with the functions that every language has (docs/control.md).

The package's own functions are the same for what Python needs every day; here are JSON, and heaps that have a number,
whoever made them in this process. Errors are LookupError (option_set: hakmem.UnknownOptionError), ValueError, TypeError
and RuntimeError.
"""

from hakmem import _hakmem, set_option
from hakmem._hakmem import (
    heap_destroy,
    heap_new,
    heap_set_limit,
    heap_stats,
    heaps,
    option_get,
    options,
    options_json,
    stats,
    stats_json,
    trim,
)

__all__ = [
    "heap_destroy",
    "heap_new",
    "heap_set_limit",
    "heap_stats",
    "heaps",
    "option_get",
    "option_set",
    "options",
    "options_json",
    "stats",
    "stats_json",
    "trim",
    "version",
]

option_set = set_option


def version() -> str:
    """Return the version of hakmem."""
    return _hakmem.version
