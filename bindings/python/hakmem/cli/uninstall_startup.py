"""`hakmem uninstall-startup`."""

from hakmem import startup_files
from hakmem.cli.command import fail
from hakmem.cli.startup_command import StartupCommand
from hakmem.shown import print_line

TYPE_CHECKING = False
if TYPE_CHECKING:
    from argparse import Namespace


class UninstallStartup(StartupCommand):
    """Remove the startup file from this environment.

    Where there is none, nothing happens.
    """

    name = "uninstall-startup"

    def execute(self, arguments: "Namespace") -> int:
        directory = self.directory(arguments.user)
        try:
            removed = startup_files.uninstall(directory)
        except OSError as error:
            return fail(self.explain(error, arguments.user), 1)
        if removed:
            print_line(f"removed from {directory}")
        else:
            print_line(f"nothing to remove in {directory}")
        return 0


COMMAND = UninstallStartup()
