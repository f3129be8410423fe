"""What hakmem says on stderr, a line at a time."""

import sys


def say(text: str) -> None:
    """Print a line on stderr; nowhere where that is closed, which print() would take for stdout."""
    if sys.stderr is not None:
        print(f"hakmem: {text}", file=sys.stderr)
