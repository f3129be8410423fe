"""`hakmem record`: writes the curve of a process tree to a file, line by line, until it ends or somebody says stop."""

from hakmem.cli.command import UsageError
from hakmem.cli.measure_command import MeasureCommand, interval_seconds_of, positive, process_id_of, split_command
from hakmem.message import say

TYPE_CHECKING = False
if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace


class Record(MeasureCommand):
    """Record the resident memory of a process and its descendants to a file of JSON lines.

    Either of a running process, PID, until it ends, or Ctrl-C, or --seconds; or of a command, which then runs as it
    would without recording. Marks (hakmem.mark("text")) of the command and full runs of its garbage collector are
    recorded where it imports hakmem or runs under it; those of a PID where it serves its stats (HAKMEM_STATS_SOCKET=1).
    'hakmem plot FILE' draws it.
    """

    name = "record"

    def add_arguments(self, parser: "ArgumentParser") -> None:
        parser.usage = "hakmem record [options] PID | -- COMMAND [args...]"
        parser.add_argument("pid", metavar="PID", nargs="?", help="a running process")
        parser.add_argument(
            "-o", "--out", metavar="FILE", default="hakmem-record.jsonl", help="where it goes (%(default)s)"
        )
        parser.add_argument("--force", action="store_true", help="overwrite FILE")
        parser.add_argument("--seconds", metavar="S", help="stop after so many seconds")
        parser.add_argument("--interval", metavar="MS", default="100", help="milliseconds between two looks (100)")

    def main(self, words: list[str]) -> int:
        """Take our own words; all behind -- is the command."""
        own, command = split_command(words)
        arguments = self.parser().parse_args(own)
        if (arguments.pid is None) == (not command):
            raise UsageError("hakmem record needs either a PID or -- and a command; see 'hakmem record --help'")
        arguments.command = command
        return self.execute(arguments)

    def measure(self, arguments: "Namespace") -> int:
        interval_seconds = interval_seconds_of(arguments.interval)
        seconds = positive(arguments.seconds, "--seconds") if arguments.seconds else None
        from hakmem.measure import record
        from hakmem.measure.extras import require

        require("psutil")
        settings = record.Settings(arguments.out, arguments.force, interval_seconds, seconds)
        if arguments.command:
            end = record.record_command(arguments.command, settings)
        else:
            end = record.record_process(process_id_of(arguments.pid), settings)
        samples = f"{end.samples} sample{'s' * (end.samples != 1)}"
        say(f"{end.text}; {arguments.out} has {samples}")
        return end.exit_code


COMMAND = Record()
