"""hakmem: serves CPython's memory from SuperSlabs and gives it back to the OS when objects die.

    import hakmem

    hakmem.enable()                 # from here on, objects live in hakmem's blocks
    ...
    hakmem.trim()                   # everything that can go to the OS goes now
    print(hakmem.stats()["live_bytes"])

Importing this package changes nothing. All functions may be called from any thread; the swap is the whole process's,
shared by its sub-interpreters.
"""

import os
import sys

try:
    from hakmem import _hakmem
except ImportError:
    if sys.implementation.name == "cpython":
        raise
    from hakmem import _absent as _hakmem  # type: ignore[no-redef]

TYPE_CHECKING = False  # typing's own costs milliseconds to import
if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from hakmem._types import ArraysReport, ClassStats, OptionInfo, Stats
    from hakmem.errors import UnknownOptionError, UnsupportedError

__all__ = [
    "ArraysReport",
    "ClassStats",
    "OptionInfo",
    "Stats",
    "UnknownOptionError",
    "UnsupportedError",
    "__version__",
    "arrays",
    "disable",
    "enable",
    "get_option",
    "is_enabled",
    "mark",
    "options",
    "quiesce",
    "set_option",
    "stats",
    "trim",
]

__version__: str = _hakmem.version

ARRAYS_CHOICES = ("auto", "on", "off")
# By CPython's raw domain, by NumPy's data handler, by the whole of malloc.
SERVED_ARRAYS = ("raw", "handler", "malloc")
ARRAYS_ARE_OFF = "the option arrays is off"
TINY_IS_OFF = "the option tiny_use_superslab is 0"
REASONS_OF_ARRAYS = {"awaited": "NumPy is not imported", "off": TINY_IS_OFF}

_exit_table_is_planned = False
_quiesce_minds_forks = False
_mark_listener: "Callable[[str], None] | None" = None  # measure/marks.py, where somebody records


def enable(arrays: str = "auto") -> bool:
    """Let new blocks of CPython's objects be hakmem's, and NumPy's array data.

    True when the swap is in force, also when it was before. False when the environment says HAKMEM=0, which always
    wins. Raises UnsupportedError with the reason, and changes nothing, where swapping would be unsafe. Whether it is,
    is decided by the first call that swaps: what is started on top of hakmem later may be there.

    `arrays` is about NumPy, imported before or later. "auto": as the option of that name says, which is "auto", too,
    unless it was set: arrays are served where that is safe. "off" sets the option, and so does "on", by which it is an
    error where they cannot be served; one warning, where NumPy is imported later. HAKMEM_ARRAYS=off wins over both.
    """
    if arrays not in ARRAYS_CHOICES:
        raise ValueError(f"arrays is {arrays!r}, which is not one of {', '.join(ARRAYS_CHOICES)}")
    if os.environ.get("HAKMEM") == "0":
        return False
    was_enabled = _hakmem.is_enabled()
    reason = _hakmem.enable() or _serve_arrays(arrays, was_enabled)
    if reason is not None:
        from hakmem.errors import UnsupportedError

        raise UnsupportedError(reason)
    _plan_exit_table()
    if get_option("stats_socket") == 1 and _hakmem.is_main_interpreter():
        _serve_stats()
    return True


def arrays() -> "ArraysReport":
    """Tell who serves new array data of NumPy's, and why hakmem does not, if so."""
    if _hakmem.arrays_state()[0] == "awaited":
        _settle_arrays()  # it may have been imported unnoticed
    way, reason = _hakmem.arrays_state()
    if way in SERVED_ARRAYS:
        return {"served_by": way, "reason": None}
    return {"served_by": None, "reason": reason or _reason_of_arrays(way)}


def _reason_of_arrays(way: str) -> str:
    if not _hakmem.is_enabled():
        return "hakmem is not enabled"
    if get_option("arrays") == "off":
        return ARRAYS_ARE_OFF
    return REASONS_OF_ARRAYS[way]


def disable() -> None:
    """Let new requests go to the previous allocator again.

    Blocks of hakmem's stay valid and are freed where they came from; one that must grow may move to the previous
    allocator. The hooks stay in place to the end of the process.
    """
    _hakmem.disable()


def is_enabled() -> bool:
    """Tell whether the swap is in force."""
    return _hakmem.is_enabled()


def trim() -> int:
    """Give back to the OS all that holds no live block; the bytes of resident memory that this call gave back.

    Flushes this thread's magazines and, as far as that is safe, those of other threads. Moves and frees nothing that
    lives. Does not run the garbage collector: call gc.collect() first to drop cycles.
    """
    return _hakmem.trim()


def stats() -> "Stats":
    """Return the figures of this process, exact integers, in bytes where the name says so."""
    return _hakmem.stats()


def get_option(name: str) -> "int | str":
    """Return the current value of an option: int where its values are numbers, else str.

    Raises UnknownOptionError (a KeyError) if there is no such option.
    """
    try:
        return _hakmem.option_get(name)
    except LookupError as error:
        from hakmem.errors import UnknownOptionError

        raise UnknownOptionError(error.args[0]) from None


def set_option(name: str, value: "int | float | str") -> None:
    """Set an option for the whole process.

    Raises UnknownOptionError (a KeyError) if there is no such option, ValueError for a value that is not allowed, and
    RuntimeError for an option that is read at the start only (set its environment variable instead).
    """
    try:
        _hakmem.option_set(name, value)
    except LookupError as error:
        from hakmem.errors import UnknownOptionError

        raise UnknownOptionError(error.args[0]) from None
    _hakmem.notice_options()
    _settle_arrays()


def options() -> "list[OptionInfo]":
    """Return the option table, one row per option with its current value."""
    return _hakmem.options()


class _Quiesce:
    """What quiesce() returns. Both ends are functions of C, so that no signal arrives between them and the block.

    They take any arguments: the interpreter calls them without `self`, contextlib.ExitStack with it.
    """

    __slots__ = ()
    __enter__ = staticmethod(_hakmem.quiesce_begin)
    __exit__ = staticmethod(_hakmem.quiesce_end)


def quiesce() -> "AbstractContextManager[None]":
    """Return a context manager in whose block hakmem has no thread of its own.

    For os.unshare, setns and what else refuses, or counts, a process with several threads. Blocks nest, in any threads.
    Memory is given back meanwhile by the threads that free. A child that is forked in the block is in it, too. Raises
    RuntimeError, at its begin, where the thread that answers `hakmem stats` does not end within a second.
    """
    global _quiesce_minds_forks  # noqa: PLW0603 - once per interpreter
    if not _quiesce_minds_forks:
        _quiesce_minds_forks = True
        os.register_at_fork(after_in_child=_hakmem.quiesce_after_fork_in_child)
    return _Quiesce()


def mark(text: str) -> None:
    """Name this moment of the program for whoever records its memory.

    `hakmem record` and `hakmem compare` put it on the curve. Also raises the audit event "hakmem.mark" with the text.
    Where nobody records, nothing else happens.
    """
    if not isinstance(text, str):
        raise TypeError(f"a mark must be str, not {type(text).__name__}")
    sys.audit("hakmem.mark", text)
    if _mark_listener is None and "_HAKMEM_MARKS_FILE" in os.environ:
        _listen_to_marks()
    if _mark_listener is not None:
        _mark_listener(text)


class _NumpyNotice:
    """First in sys.meta_path once hakmem is enabled; finds nothing.

    NumPy looks for more of itself after its C part was imported: that is the moment to look at it. So nothing of the
    import is replaced or wrapped, and other finders are asked as ever. It stays there: a list that others walk must not
    get shorter meanwhile. Where a finder in front of it finds NumPy, arrays() notices it.
    """

    find_spec = staticmethod(_hakmem.find_numpy)


def _serve_arrays(choice: str, was_enabled: bool) -> "str | None":
    """Do as enable() says. The reason, where they were to be on and cannot be; then nothing has changed."""
    former = get_option("arrays")
    if choice != "auto" and os.environ.get("HAKMEM_ARRAYS") != "off":
        _hakmem.option_set("arrays", choice)
    reason = _settle_arrays()
    if choice != "on" or get_option("arrays") != "on":
        return None
    way = _hakmem.arrays_state()[0]
    if way == "off":
        reason = _reason_of_arrays(way)
    if reason is None:
        return None
    _hakmem.option_set("arrays", former)
    if not was_enabled:
        _hakmem.disable()
    return f"NumPy's arrays cannot be served: {reason}"


def _settle_arrays() -> "str | None":
    """Look at NumPy, and be there when it is imported. The reason, where its arrays are to be served and cannot be."""
    reason = _hakmem.settle_arrays()
    if _hakmem.arrays_state()[0] != "awaited" or not _hakmem.is_main_interpreter():
        return reason
    if _NumpyNotice not in sys.meta_path:
        sys.meta_path.insert(0, _NumpyNotice)
    return _hakmem.settle_arrays()  # another thread may have imported it before the finder was there


def _plan_exit_table() -> None:
    """Have the stats table printed when the interpreter ends, if the option stats_at_exit says so by then."""
    global _exit_table_is_planned  # noqa: PLW0603 - once per interpreter
    if _exit_table_is_planned or not _hakmem.is_main_interpreter():
        return
    _exit_table_is_planned = True
    import atexit

    process = _hakmem.process_generation()

    def print_table() -> None:
        # A forked child inherits this function; the table is the program's, once.
        if _hakmem.process_generation() == process and _hakmem.option_get("stats_at_exit") == 1:
            try:
                from hakmem.stats_table import print_stats_table
            except ImportError:
                return  # the program has left the place of its packages behind
            print_stats_table()

    atexit.register(print_table)


def __getattr__(name: str) -> object:
    """Import what few programs need when somebody asks for it: hakmem.control, errors, and types for annotations."""
    if name in ("control", "errors"):
        import importlib

        return importlib.import_module(f"hakmem.{name}")
    if name in ("UnknownOptionError", "UnsupportedError"):
        from hakmem import errors

        return getattr(errors, name)
    if name in ("ArraysReport", "ClassStats", "OptionInfo", "Stats"):
        from hakmem import _types

        return getattr(_types, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def _serve_stats() -> None:
    """Answer `hakmem stats`; where that cannot be, the program goes on without."""
    try:
        from hakmem.measure import server
    except ImportError:
        return  # in another root, or as another user, it may have left the place of its packages behind
    server.serve()


def _listen_to_marks() -> None:
    """Note marks, and full runs of the garbage collector if that is wanted, for who started this process."""
    try:
        from hakmem.measure import marks
    except ImportError:
        return  # the program has left the place of its packages behind
    marks.listen()


if "_HAKMEM_GC_RUNS" in os.environ:  # `hakmem record` started this process
    _listen_to_marks()
