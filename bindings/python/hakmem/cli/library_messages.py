"""What libraries log and warn while hakmem measures: one line each, in hakmem's name, as any text from outside.

matplotlib logs paths of the environment and words of a matplotlibrc, which may be anybody's in the working directory.
"""

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

from hakmem.message import say

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class _Lines(logging.Handler):
    """Says each message once: matplotlib looks for a font that it has not found again and again."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self._said: set[str] = set()

    def emit(self, record: logging.LogRecord) -> None:
        self.say(f"{record.name}: {record.getMessage()}")

    def say(self, text: str) -> None:
        if text not in self._said:
            self._said.add(text)
            say(f"warning: {text}")


@contextmanager
def as_lines() -> Iterator[None]:
    """Let them be lines while this is entered."""
    lines = _Lines()

    def show(message: "Warning | str", category: type[Warning], *place: "Any", **options: "Any") -> None:
        lines.say(f"{category.__name__}: {message}")

    root = logging.getLogger()
    root.addHandler(lines)
    try:
        with warnings.catch_warnings():
            warnings.showwarning = show
            yield
    finally:
        root.removeHandler(lines)
