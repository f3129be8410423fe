"""What hakmem says on stderr, a line at a time."""

import sys

from hakmem.shown import shown_on


def say(text: str) -> None:
    """Print a line on stderr; nowhere where that is closed, which print() would take for stdout, or has no room."""
    stream = sys.stderr
    if stream is None:
        return
    try:
        line = shown_on(stream, f"hakmem: {text}")
        print(line, file=stream)
    except (OSError, ValueError):
        pass  # nobody reads it any more
