"""What the sub-commands have in common. Exit codes: 0; 1 what was asked could not be done; 2 bad usage."""

from hakmem.message import say

TYPE_CHECKING = False
if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace
    from typing import NoReturn


class UsageError(Exception):
    """The words on the command line make no sense; the text says which, and what to give."""


class OutputError(Exception):
    """Standard output takes nothing; the OSError is its cause. Of hakmem's own text: a program's is its own affair."""

    def __init__(self, error: OSError) -> None:
        """Keep why."""
        super().__init__(str(error))
        self.error = error


def fail(text: str, exit_code: int) -> int:
    """Print one error line and return the exit code."""
    say(f"error: {text}")
    return exit_code


class Command:
    """A sub-command. The docstring of the subclass is its help; its first line is the summary."""

    name: str

    def add_arguments(self, parser: "ArgumentParser") -> None:
        """Declare the words that the command takes."""

    def execute(self, arguments: "Namespace") -> int:
        """Do it; the exit code."""
        raise NotImplementedError

    def main(self, words: list[str]) -> int:
        """Parse and execute."""
        return self.execute(self.parser().parse_args(words))

    def summary(self) -> str:
        """Return the first line of the help."""
        return (self.__doc__ or "").strip().splitlines()[0]

    def parser(self) -> "ArgumentParser":
        """Return the parser of this command."""
        import argparse
        import inspect

        class Parser(argparse.ArgumentParser):
            def error(self, message: str) -> "NoReturn":
                raise UsageError(f"{message}; see '{self.prog} --help'")

            def print_help(self, file: object = None) -> None:
                try:
                    print(self.format_help(), end="", flush=True)  # at exit nobody could say that it was not printed
                except OSError as error:
                    raise OutputError(error) from error

        parser = Parser(
            prog=f"hakmem {self.name}",
            description=inspect.cleandoc(self.__doc__ or ""),
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
        )
        self.add_arguments(parser)
        return parser
