"""Ctrl-C and its like, noted instead of obeyed: what was measured must not be lost, nor a program left running."""

import signal
import time
from collections.abc import Callable
from typing import Any

# The last two come when a terminal is closed, or somebody wants us to end at once.
NUMBERS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)
# How long a signal, or the end of what is waited for, may go unnoticed.
SLICE_SECONDS = 0.1


class Interrupts:
    """While this is entered, these signals are only noted, however often they come."""

    def __init__(self) -> None:
        """None has come."""
        self.number = 0  # of the first one
        self._handlers: dict[int, Any] = {}

    @property
    def have_come(self) -> bool:
        """Whether there was one."""
        return self.number != 0

    def __enter__(self) -> "Interrupts":
        """Note them from here on."""
        for number in NUMBERS:
            if number == signal.SIGHUP and signal.getsignal(number) is signal.SIG_IGN:
                continue  # nohup: it is to go on
            self._handlers[number] = signal.signal(number, self._note)
        return self

    def __exit__(self, *exception: object) -> None:
        """Go back to what was."""
        for number, handler in self._handlers.items():
            signal.signal(number, handler)

    def wait(self, seconds: float, is_over: Callable[[], bool]) -> None:
        """Wait, but not longer than until one comes, or something is over."""
        end = time.monotonic() + seconds
        while not self.have_come and (rest_seconds := end - time.monotonic()) > 0:
            time.sleep(min(rest_seconds, SLICE_SECONDS))
            if is_over():
                return

    def _note(self, number: int, frame: object) -> None:
        self.number = self.number or number
