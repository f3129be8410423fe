"""`hakmem stats`."""

import json
import time

from hakmem.cli.measure_command import HOUR_SECONDS, MeasureCommand, positive, process_id_of
from hakmem.message import say
from hakmem.shown import print_line

TYPE_CHECKING = False
if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace
    from typing import Any

MEBIBYTE = 1024 * 1024
WATCHED = ("live_bytes", "cached_bytes", "pinned_bytes", "free_resident_bytes")


class Stats(MeasureCommand):
    """Print the figures of a running process under hakmem.

    The process must serve them: start it with HAKMEM_STATS_SOCKET=1. It then answers its user and root, on a Unix
    socket. Resident memory is the kernel's, the rest hakmem's own.
    """

    name = "stats"

    def add_arguments(self, parser: "ArgumentParser") -> None:
        parser.add_argument("pid", metavar="PID", help="the process")
        form = parser.add_mutually_exclusive_group()
        form.add_argument("--json", action="store_true", help="print all that it tells as JSON")
        form.add_argument("--prom", action="store_true", help="print it as a Prometheus scraper reads it")
        form.add_argument("--watch", action="store_true", help="print a line every --interval until it ends or Ctrl-C")
        parser.add_argument("--interval", metavar="S", default="1", help="seconds between lines of --watch (1)")

    def measure(self, arguments: "Namespace") -> int:
        process_id = process_id_of(arguments.pid)
        interval_seconds = positive(arguments.interval, "--interval", HOUR_SECONDS)
        from hakmem.measure import client, kernel

        if arguments.prom:
            from hakmem.measure import prometheus

            print(prometheus.exposition(process_id), end="")
            return 0
        told = client.ask(process_id)
        if arguments.json:
            print(json.dumps(told, indent=2))
        elif arguments.watch:
            _watch(process_id, told, interval_seconds)
        else:
            from hakmem.stats_table import stats_table

            state = "enabled" if told["is_enabled"] else "not enabled"
            print_line(f"process {process_id}, Python {told['python']}, hakmem {told['hakmem']}, {state}")
            print(f"resident memory {kernel.resident_bytes(process_id) or 0:,} bytes (kernel)")
            print(stats_table(told["stats"], told.get("malloc") == "hakmem", told["is_enabled"]), end="")
        return 0


def _watch(process_id: int, told: "dict[str, Any]", interval_seconds: float) -> None:
    """Print a line at a time; the end of the process is the end."""
    from hakmem.measure import client, kernel
    from hakmem.measure.measure_error import MeasureError

    print(f"{'time':<10}{'resident':>12}{'live':>12}{'cached':>12}{'pinned':>12}{'free':>12}   MiB")
    try:
        while True:
            cells = [kernel.resident_bytes(process_id) or 0, *(told["stats"][name] for name in WATCHED)]
            line = "".join(f"{value / MEBIBYTE:>12.1f}" for value in cells)
            print(f"{time.strftime('%H:%M:%S'):<10}{line}", flush=True)
            time.sleep(interval_seconds)
            told = client.ask(process_id)
    except KeyboardInterrupt:
        return
    except MeasureError as error:
        say(str(error))


COMMAND = Stats()
