"""The file through which a program that we start tells of its marks and of its collector, as long as somebody records.

The folder for temporary files is everybody's: the program, or who cleans up, may remove ours at any time, and there may
be none. What was written before is read all the same, and what is measured is measured without.
"""

import contextlib
import os
import tempfile
from typing import Any, BinaryIO

from hakmem.measure import marks
from hakmem.message import say


class EventsFile:
    """A file of events that is open here, so that its name is needed by the program alone."""

    def __init__(self) -> None:
        """Make it; a warning where it cannot be made."""
        self.path = ""
        self._file: BinaryIO | None = None
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        try:
            self._folder = tempfile.TemporaryDirectory(prefix="hakmem-", ignore_cleanup_errors=True)
            path = os.path.join(self._folder.name, "marks")
            self._file = open(path, "w+b")  # noqa: SIM115 - closed by __exit__
            self.path = path
        except OSError as error:
            say(f"warning: marks are not recorded: no temporary file can be made: {error.strerror}; set TMPDIR")

    def __enter__(self) -> "EventsFile":
        """Keep it until the block ends."""
        return self

    def __exit__(self, *exception: object) -> None:
        """Remove it, as far as it is there."""
        if self._file is not None:
            self._file.close()
        if self._folder is not None:
            with contextlib.suppress(OSError):
                self._folder.cleanup()

    def variables(self) -> dict[str, str]:
        """Return what tells the program of it."""
        return {marks.FILE_VARIABLE: self.path} if self.path else {}

    def events(self, start_seconds: float) -> list[dict[str, Any]]:
        """Return all that was told so far, in seconds since a monotonic moment."""
        return [] if self._file is None else marks.read_file(self._file, start_seconds)
