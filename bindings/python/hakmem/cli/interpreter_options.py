"""Options of python among the words behind `hakmem run`, where they come too late: finds the command that works.

Imported only to write an error line.
"""

import os
import re
import shlex
import shutil
import sys

from hakmem import _hakmem
from hakmem.cli.command import UsageError

# As CPython's getopt takes a word: flags share one, the value of -W and -X may be joined, -c and -m end the options.
# Flags that print something and run nothing are left out.
FLAGS = "bBdEiIOqRsStuvx" + ("P" if sys.version_info >= (3, 11) else "")
SHORT = re.compile(rf"-(?P<flags>[{FLAGS}]*)(?:[WX](?P<value>.*)|(?P<program>[cm].*))?", re.DOTALL)
LONG_WITH_VALUE = ("--check-hash-based-pycs",)

IN_VAIN = {
    "S": "hides installed packages, hakmem among them",
    "x": "does not reach a program that hakmem runs",
}


class SortedWords:
    """The words behind `hakmem run`, or behind `python`: options of python, options of hakmem's, and the rest."""

    def __init__(self, words: list[str], own_options: tuple[str, ...] = ()) -> None:
        """Sort them."""
        self.flags = ""
        self.options: list[str] = []
        self.own: list[str] = []
        self.rest = list(words)
        while self.rest and self._take(own_options):
            pass

    def _take(self, own_options: tuple[str, ...]) -> bool:
        """Take one option off the rest; False if it does not begin with one."""
        word = self.rest[0]
        match = None if word == "-" else SHORT.fullmatch(word)
        if word in own_options:
            self.own.append(self.rest.pop(0))
            return True
        if match is None and word not in LONG_WITH_VALUE:
            return False
        self.flags += match["flags"] if match else ""
        if match and match["program"]:  # -uc CODE is -u -c CODE
            if match["flags"]:
                self.options.append(f"-{match['flags']}")
                self.rest[0] = f"-{match['program']}"
            return False
        count = 2 if match is None or match["value"] == "" else 1
        self.options += self.rest[:count]
        del self.rest[:count]
        return True


def misplaced_option_error(words: list[str], own_options: tuple[str, ...]) -> UsageError:
    """Return the error about the words behind `hakmem run`, one of which is no option of hakmem's."""
    found = SortedWords(words, own_options)
    first = found.rest[0] if found.rest else ""
    if first.startswith("-") and first not in ("-", "--", "-h", "--help") and first[:2] not in ("-m", "-c"):
        return UsageError(f"unknown option {first!r} of hakmem run; see 'hakmem run --help'")
    if not found.rest:
        return UsageError(f"hakmem run needs SCRIPT, -m MODULE, -c CODE or - behind {words[-1]!r}")
    for letter, reason in IN_VAIN.items():
        if letter in found.flags:
            return UsageError(f"option '-{letter}' of python {reason}; leave it out")
    given = SortedWords(sys.orig_argv[1:]).options
    command = [*given, *found.options, "-m", "hakmem", "run", *found.own, *found.rest]
    shown = [word if word.isprintable() else "..." for word in command]  # an error is one line
    return UsageError(
        f"unknown option {found.options[0]!r} of hakmem run; options of python go before: "
        f"{_python()} {shlex.join(shown)}"
    )


def _python() -> str:
    """Return how a shell calls this interpreter: its bare name where PATH finds it by that."""
    own = sys.executable or _hakmem.executed_path()  # Python does not know it where it was called by no name
    for name in ("python", "python3"):
        path = shutil.which(name)
        # Neither the same file alone, which several environments share, nor the same directory is enough.
        if path and os.path.dirname(path) == os.path.dirname(own) and _is_same_file(path, own):
            return name
    return shlex.quote(own)


def _is_same_file(path: str, other: str) -> bool:
    try:
        return os.path.samefile(path, other)
    except OSError:  # one was removed
        return False
