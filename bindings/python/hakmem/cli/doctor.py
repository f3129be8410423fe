"""`hakmem doctor`."""

import json
import os

from hakmem.cli.command import UsageError
from hakmem.cli.measure_command import MeasureCommand, process_id_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

DAY_SECONDS = 24 * 3600


class Doctor(MeasureCommand):
    """Say where the resident memory of a process is, what that means, and what to do.

    Works on any process of the same user, with or without hakmem: the kernel says what is mapped; pymalloc's pools and
    the C library's heaps are read in the process's memory, without stopping it, where the kernel allows that (root
    always may). A process under hakmem tells more where it serves its stats (HAKMEM_STATS_SOCKET=1). Looks twice, to
    see what grows. Without PID it looks at itself, to show what there is to see.
    """

    name = "doctor"

    def add_arguments(self, parser: "ArgumentParser") -> None:
        parser.add_argument("pid", metavar="PID", nargs="?", help="the process")
        parser.add_argument("--seconds", metavar="S", default="2", help="between the two looks (2); 0: look once")
        parser.add_argument("--json", action="store_true", help="print it as JSON")

    def measure(self, arguments: "Namespace") -> int:
        process_id = os.getpid() if arguments.pid is None else process_id_of(arguments.pid)
        try:
            seconds = float(arguments.seconds)
        except ValueError:
            seconds = -1.0
        if not 0 <= seconds <= DAY_SECONDS:
            raise UsageError(f"--seconds {arguments.seconds!r} is not a number from 0 to {DAY_SECONDS}")
        from hakmem.measure import doctor
        from hakmem.measure.extras import require

        if not arguments.json:
            require("rich")
        found = doctor.examine(process_id, seconds)
        if arguments.json:
            print(json.dumps(doctor.as_json(*found, seconds), indent=2))
        else:
            doctor.print_report(*found, seconds)
        return 0


COMMAND = Doctor()
