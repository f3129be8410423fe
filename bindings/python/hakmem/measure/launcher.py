"""The small process between `hakmem compare` and the program: starts it, waits for it, tells what it cost.

Run as a script by child_program.py, without hakmem and nearly without imports. The kernel counts into the peak of a
process (ru_maxrss) what its parent held when it was started: below a parent as large as `compare` the peak of a small
program would be unknown. What the program leaves behind becomes a child of this process, so that it can be found.

Reads (command, environment, signals to be as they are by default) from its standard input, marshalled, texts as bytes;
writes lines:
`begun PID`, or `failed REASON`; then `ended STATUS CPU_SECONDS PEAK_KIB`. Its standard error is the program's output.
"""

import marshal
import os
import sys

PR_SET_CHILD_SUBREAPER = 36


def main() -> None:
    """Start, wait, and go on waiting for what the program left behind."""
    command, environment, signals = marshal.loads(sys.stdin.buffer.read())
    _adopt_orphans()
    files = [(os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0), (os.POSIX_SPAWN_DUP2, 2, 1)]
    try:
        program = os.posix_spawnp(command[0], command, environment, file_actions=files, setsigdef=signals)
    except OSError as error:
        print("failed", error.strerror, flush=True)
        return
    print("begun", program, flush=True)
    while True:
        try:
            ended, status, usage = os.wait4(-1, 0)
        except ChildProcessError:  # nothing is left
            return
        if ended == program:
            print("ended", status, usage.ru_utime + usage.ru_stime, usage.ru_maxrss, flush=True)


def _adopt_orphans() -> None:
    try:
        import ctypes
    except ImportError:  # an interpreter without it: then they go to the first process of the machine, as usual
        return
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


if __name__ == "__main__":
    main()
