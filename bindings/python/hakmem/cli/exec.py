"""`hakmem exec`: executes any program with malloc served by the preloaded library."""

import errno
import os
import shutil
import signal

from hakmem import preload
from hakmem.cli.command import Command, UsageError, fail
from hakmem.ignored_signals import IGNORED_SIGNALS
from hakmem.message import say

TYPE_CHECKING = False
if TYPE_CHECKING:
    from argparse import ArgumentParser

OWN_OPTIONS = ("--children", "--stats", "--require")
SHELL = "/bin/sh"
NOT_FOUND, NOT_EXECUTABLE = 127, 126  # as env and the shell end


class Exec(Command):
    """Execute any program with its malloc served by hakmem.

    A Ruby, R, PHP or Node program, a server: what allocates by the C library's malloc is reached. Where it cannot work
    (a static or set-user-ID program, one with an allocator of its own) one line says so and the program runs as it
    would have. For a Python program `hakmem run --all` serves its objects, too. With HAKMEM=0 in the environment it
    runs without hakmem.
    """

    name = "exec"

    def add_arguments(self, parser: "ArgumentParser") -> None:
        parser.usage = "hakmem exec [--children] [--stats] [--require] [--] COMMAND [args...]"
        parser.add_argument("--children", action="store_true", help="serve its child processes, too")
        parser.add_argument("--stats", action="store_true", help="print hakmem's figures on stderr at exit")
        parser.add_argument("--require", action="store_true", help="exit with 1 where malloc cannot be served")

    def main(self, words: list[str]) -> int:
        own: list[str] = []
        rest = list(words)
        while rest and rest[0].startswith("-"):
            word = rest.pop(0)
            if word == "--":
                break
            if word in ("-h", "--help"):
                self.parser().print_help()
                return 0
            if word not in OWN_OPTIONS:
                raise UsageError(f"unknown option {word!r} of hakmem exec; see 'hakmem exec --help'")
            own.append(word)
        if not rest:
            raise UsageError("hakmem exec needs the command of a program")
        return execute(rest, own)


def execute(words: list[str], own_options: list[str]) -> int:
    """Become the program; returns only where it does not run."""
    path = shutil.which(words[0])
    if path is None:
        is_there = "/" in words[0] and os.path.exists(words[0])
        what = "is no program that may be executed" if is_there else "was not found; name a program"
        return fail(f"{words[0]!r} {what}", NOT_EXECUTABLE if is_there else NOT_FOUND)
    switched_off = preload.reason_of_environment()
    obstacle = switched_off or preload.obstacle_of_library() or preload.obstacle_of_program(path)
    if obstacle and "--require" in own_options:
        return fail(f"malloc cannot be served, and --require was given: {obstacle}", 1)
    if obstacle and not switched_off:
        say(f"warning: {obstacle}; it runs without hakmem")
    told = [option[2:] for option in own_options]
    variables = preload.started_environment() if obstacle else preload.environment_with_library(told)
    for ignored in IGNORED_SIGNALS:
        signal.signal(ignored, signal.SIG_DFL)
    try:
        try:
            os.execve(path, words, variables)
        except OSError as error:
            if error.errno != errno.ENOEXEC:
                raise
            os.execve(SHELL, [SHELL, path, *words[1:]], variables)  # a script without a first line that names a program
    except OSError as error:
        return fail(f"{path} cannot be executed: {error.strerror}", NOT_EXECUTABLE)


COMMAND = Exec()
