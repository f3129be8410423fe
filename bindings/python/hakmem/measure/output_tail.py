"""Takes what a program prints, however much that is, and keeps the end."""

import os
import threading

TAIL_BYTES = 2000
CHUNK_BYTES = 64 * 1024
# A process that could not be ended may hold the other end of the pipe.
END_SECONDS_MAX = 1.0


class OutputTail:
    """The end of what is written to `write_end`; reading never lets the writer wait for long."""

    def __init__(self) -> None:
        """Read from here on."""
        self._read_end, self.write_end = os.pipe()
        self._tail = b""
        self._thread = threading.Thread(target=self._read, name="hakmem output", daemon=True)
        self._thread.start()

    def close(self) -> str:
        """Return the end as text, when all writers have gone."""
        os.close(self.write_end)
        self._thread.join(END_SECONDS_MAX)
        return self._tail.decode(errors="replace").strip()

    def _read(self) -> None:
        while chunk := os.read(self._read_end, CHUNK_BYTES):
            self._tail = (self._tail + chunk)[-TAIL_BYTES:]
        os.close(self._read_end)
