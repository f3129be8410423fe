"""The command `hakmem`: one class per sub-command, each in a file of its own, whose docstring is its help.

`hakmem run` goes past argparse and imports next to nothing: what is imported here before the program starts is not
imported by the program, and differs from what `python` would have imported.
"""

import errno
import io
import os
import sys

from hakmem.cli.command import Command, OutputError, UsageError, fail

COMMANDS = (
    "run",
    "exec",
    "status",
    "options",
    "install-startup",
    "uninstall-startup",
    "compare",
    "record",
    "plot",
    "doctor",
    "stats",
)

# They go on as the program.
LAUNCHERS = ("run", "exec")

# The reader has gone, the disk is full, the terminal is closed.
OUTPUT_ERRORS = (errno.EPIPE, errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)


def main(arguments: "list[str] | None" = None) -> int:
    """Run `hakmem` with these words (default: those of the command line); the exit code."""
    words = sys.argv[1:] if arguments is None else arguments
    if not words or words[0] not in LAUNCHERS:  # the program finds what it would find under `python`
        _open_closed_streams()
        _let_everything_be_printed()
    try:
        if not words:
            raise UsageError(f"a command is missing; give one of {', '.join(COMMANDS)}")
        is_command = words[0] in COMMANDS
        code = load_command(words[0]).main(words[1:]) if is_command else _main_without_command(words)
        if words[0] not in LAUNCHERS:  # the program's own output is its own affair
            sys.stdout.flush()
        return code
    except UsageError as error:
        return fail(str(error), 2)
    except KeyboardInterrupt:
        if words[0] in LAUNCHERS:
            raise
        return fail("interrupted", 130)
    except OutputError as unwritten:
        return _fail_to_print(unwritten.error)
    except OSError as error:
        if words[0] in LAUNCHERS or error.errno not in OUTPUT_ERRORS:
            raise
        return _fail_to_print(error)


def _fail_to_print(error: OSError) -> int:
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # what is still buffered goes nowhere at exit
    if error.errno == errno.EPIPE:  # the reader, `head` for one, has seen enough
        return 1
    return fail(f"the output cannot be written: {error.strerror}", 1)


def load_command(name: str) -> Command:
    """Import the file of one command."""
    module_name = name.replace("-", "_")
    module = __import__(f"hakmem.cli.{module_name}", fromlist=["COMMAND"])
    command: Command = module.COMMAND
    return command


def _open_closed_streams() -> None:
    """Let standard streams that are closed lead nowhere: else files that are opened take their numbers."""
    closed = [name for name in ("stdin", "stdout", "stderr") if getattr(sys, name) is None]
    while closed and (descriptor := os.open(os.devnull, os.O_RDWR)) <= 2:
        pass
    for name in closed:
        mode = "r" if name == "stdin" else "w"
        setattr(sys, name, open(descriptor, mode, encoding="utf-8", closefd=False))  # noqa: SIM115


def _let_everything_be_printed() -> None:
    """Let a character that standard output has not be escaped: a table that took an hour must not end there."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")


def _main_without_command(words: list[str]) -> int:
    import hakmem

    if words[0] in ("-V", "--version"):
        print(f"hakmem {hakmem.__version__}")
        return 0
    if words[0] in ("-h", "--help"):
        print("usage: hakmem COMMAND ...\n\nServes CPython's memory and gives it back to the OS.\n\ncommands:")
        for name in COMMANDS:
            print(f"  {name:<20}{load_command(name).summary()}")
        print("\n`hakmem COMMAND --help` tells more; `hakmem --version` prints the version.")
        return 0
    nearest = _nearest_command(words[0])
    advice = f"the nearest is '{nearest}'" if nearest else f"give one of {', '.join(COMMANDS)}"
    raise UsageError(f"there is no command {words[0]!r}; {advice}")


def _nearest_command(word: str) -> "str | None":
    """Return the command that was meant, or None where that would be a guess."""
    from difflib import get_close_matches

    begun = [name for name in COMMANDS if word and name.startswith(word)]
    near = begun if len(begun) == 1 else get_close_matches(word, COMMANDS, n=1, cutoff=0.75)
    return near[0] if near else None
