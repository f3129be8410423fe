"""Reads the memory of another process of the same user without stopping it: words, and which OS pages are there.

Raises MeasureError where the kernel does not allow it; everything else on the measuring side works without.
"""

import array
import os

from hakmem.measure.measure_error import MeasureError

PAGE_BYTES = os.sysconf("SC_PAGESIZE")
PRESENT = 1 << 63
ENTRY_BYTES = 8


class RemoteMemory:
    """The memory of one process. It changes while it is read: what is found is to be checked for sense."""

    def __init__(self, process_id: int) -> None:
        """Open it."""
        self._files: list[int] = []
        try:
            for name in ("mem", "pagemap"):
                self._files.append(os.open(f"/proc/{process_id}/{name}", os.O_RDONLY | os.O_CLOEXEC))
        except OSError as error:
            self.close()
            raise MeasureError(f"/proc/{process_id}/{name} cannot be opened: {error.strerror}") from None

    def close(self) -> None:
        """Close it."""
        while self._files:
            os.close(self._files.pop())

    def read(self, address: int, size_bytes: int) -> bytes:
        """Return what lies there; fewer bytes where it ends, none where nothing is mapped."""
        try:
            return os.pread(self._files[0], size_bytes, address)
        except OSError:
            return b""

    def present_pages(self, start: int, end: int) -> list[bool]:
        """Tell for each OS page of a range whether it is resident; none where the kernel does not tell."""
        count = (end - start) // PAGE_BYTES
        try:
            content = os.pread(self._files[1], count * ENTRY_BYTES, start // PAGE_BYTES * ENTRY_BYTES)
        except OSError:
            return []
        entries = array.array("Q")
        entries.frombytes(content[: len(content) // ENTRY_BYTES * ENTRY_BYTES])
        return [entry >= PRESENT for entry in entries]
