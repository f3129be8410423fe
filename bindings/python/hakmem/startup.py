"""What an installed startup file calls in every interpreter of its environment where HAKMEM is set.

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
        try:
            hakmem.enable()
        except hakmem.UnsupportedError as error:
            _warn(f"not enabled: {error}")
    elif value not in ("", "0"):
        _warn(f"HAKMEM={value} is not 0 or 1; the startup file enables nothing")


def _warn(text: str) -> None:
    from hakmem import message  # here: each interpreter that starts would pay for it

    message.say(f"warning: {text}")
