"""What the measuring commands have in common: errors are one line and exit code 1; numbers of the command line."""

from hakmem.cli.command import Command, UsageError, fail
from hakmem.measure.measure_error import MeasureError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from argparse import Namespace


class MeasureCommand(Command):
    """A command that may find that what was asked cannot be done."""

    def execute(self, arguments: "Namespace") -> int:
        from hakmem.cli.library_messages import as_lines

        with as_lines():
            try:
                return self.measure(arguments)
            except MeasureError as error:
                return fail(str(error), 1)

    def measure(self, arguments: "Namespace") -> int:
        """Do it; the exit code. Raises MeasureError."""
        raise NotImplementedError


HOUR_SECONDS = 3600.0
DIGITS_MAX = 100


def positive(text: str, name: str, maximum: float = 1e9) -> float:
    """Read a number above 0, not above a maximum. Raises UsageError."""
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value <= maximum:
        raise UsageError(f"{name} {text!r} is not a number above 0{f' up to {maximum:.0f}' * (value > maximum)}")
    return value


def interval_seconds_of(milliseconds: str) -> float:
    """Read --interval in milliseconds, up to an hour. Raises UsageError."""
    return positive(milliseconds, "--interval", HOUR_SECONDS * 1000) / 1000


def positive_whole(text: str, name: str) -> int:
    """Read a whole number above 0. Raises UsageError."""
    digits = text.lstrip("0") if text.isascii() and text.isdigit() else ""
    if not 0 < len(digits) <= DIGITS_MAX:  # Python converts no more than some thousands
        raise UsageError(
            f"{name} {text!r} is not a whole number above 0{f' of up to {DIGITS_MAX} digits' * bool(digits)}"
        )
    return int(digits)


def process_id_of(text: str) -> int:
    """Read a process id. Raises UsageError."""
    return positive_whole(text, "PID")


def split_command(words: list[str]) -> "tuple[list[str], list[str]]":
    """Return the words before -- and those behind it."""
    if "--" not in words:
        return words, []
    place = words.index("--")
    return words[:place], words[place + 1 :]
