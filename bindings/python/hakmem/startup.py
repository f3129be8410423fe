"""What is called when an interpreter starts: by an installed startup file, in every one where HAKMEM is set, and by
libhakmem-malloc.so, where `hakmem run --all` reaches an interpreter that is to tell its stats.

Must never stop an interpreter from starting: what goes wrong is one line on stderr.
"""

import os

import hakmem

_has_started = False


def start() -> None:
    """Enable hakmem if HAKMEM=1; once, though a virtual environment may read the startup file twice."""
    global _has_started  # noqa: PLW0603
    if _has_started:
        return
    _has_started = True
    value = os.environ.get("HAKMEM", "")
    if value == "1":
        _enable()
    elif value not in ("", "0"):
        _warn(f"HAKMEM={value} is not 0 or 1; the startup file enables nothing")


def start_for_stats() -> None:
    """Serve the stats, or plan the table at exit, whichever option asks for it; objects are served already."""
    _enable()


def _enable() -> None:
    try:
        hakmem.enable()
    except hakmem.UnsupportedError as error:
        _warn(f"not enabled: {error}")


def _warn(text: str) -> None:
    from hakmem import message  # here: each interpreter that starts would pay for it

    message.say(f"warning: {text}")
