"""What install-startup and uninstall-startup have in common."""

import site
import sysconfig

from hakmem.cli.command import Command

TYPE_CHECKING = False
if TYPE_CHECKING:
    from argparse import ArgumentParser


class StartupCommand(Command):
    """Work on the startup files of one directory."""

    def add_arguments(self, parser: "ArgumentParser") -> None:
        parser.add_argument(
            "--user", action="store_true", help="the user's own site directory instead of this environment's"
        )

    def directory(self, user: bool) -> str:
        """Return where the files go."""
        return site.getusersitepackages() if user else sysconfig.get_path("purelib")

    def explain(self, error: OSError, user: bool) -> str:
        """Say what failed, and what to do."""
        advice = "" if user else f"; {self.advice()}"
        return f"{self.directory(user)} cannot be written: {error.strerror}{advice}"

    def advice(self) -> str:
        """Return what to do where this environment's directory may not be written."""
        return "do it as its owner"
