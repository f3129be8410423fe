"""A program that was started through launcher.py: whether it has ended, how, and what the kernel says it cost."""

import contextlib
import io
import marshal
import os
import select
import subprocess
import sys
from collections.abc import Sequence

from hakmem.ignored_signals import IGNORED_SIGNALS
from hakmem.measure import kernel, launcher
from hakmem.measure.measure_error import MeasureError

LINE_BYTES_MAX = 4096


class ChildProgram:
    """One program that runs, or has run."""

    def __init__(self, command: Sequence[str], variables: dict[str, str], output: int) -> None:
        """Start it, in a session of its own: Ctrl-C is ours to pass on. Raises MeasureError."""
        self.exit_code: int | None = None  # None also where its end could not be seen
        self.cpu_seconds = 0.0
        self.peak_bytes = 0  # the highest RSS; 0 where it is not known
        self.has_ended = False
        self._launcher = subprocess.Popen(
            [sys.executable, "-I", "-S", launcher.__file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=output,
            bufsize=0,  # a line that was read ahead would not be waited for
            start_new_session=True,
        )
        # As bytes: the launcher hears nothing of PYTHONUTF8, and may encode texts otherwise.
        words = [os.fsencode(word) for word in command]
        environment = {os.fsencode(name): os.fsencode(value) for name, value in variables.items()}
        task = marshal.dumps((words, environment, [int(number) for number in IGNORED_SIGNALS]))
        assert self._launcher.stdin is not None
        with contextlib.suppress(BrokenPipeError), io.BufferedWriter(self._launcher.stdin) as stdin:
            stdin.write(task)
        word, _, rest = self._next_line().partition(" ")
        if word != "begun":
            self.close()
            raise MeasureError(f"{command[0]} cannot be started: {rest or 'no process could be made'}")
        self.process_id = int(rest)
        self.launcher_id = self._launcher.pid
        sums = kernel.memory_sums(self.launcher_id)
        self._peak_bytes_min = sums.high_water if sums else 0

    def poll(self) -> bool:
        """Tell whether it has ended."""
        assert self._launcher.stdout is not None
        if not self.has_ended and select.select([self._launcher.stdout], [], [], 0)[0]:
            self.wait()
        return self.has_ended

    def wait(self) -> None:
        """Wait until it has ended."""
        if self.has_ended:
            return
        words = self._next_line().split()
        self.has_ended = True
        if len(words) != 4:
            return  # somebody ended the launcher
        self.exit_code = os.waitstatus_to_exitcode(int(words[1]))
        self.cpu_seconds = float(words[2])
        peak_bytes = int(words[3]) * 1024
        # Not above what the launcher held: then it is the launcher's own.
        self.peak_bytes = peak_bytes if peak_bytes > self._peak_bytes_min else 0

    def close(self) -> None:
        """End the launcher, which may still wait for what the program left behind."""
        assert self._launcher.stdout is not None
        self._launcher.kill()
        self._launcher.wait()
        self._launcher.stdout.close()

    def _next_line(self) -> str:
        """Return a line, which the launcher writes at once; empty where it has gone."""
        assert self._launcher.stdout is not None
        line: bytes = self._launcher.stdout.readline(LINE_BYTES_MAX)
        return line.decode(errors="replace").strip()
