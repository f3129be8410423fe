"""`hakmem install-startup`."""

import site

from hakmem import startup_files
from hakmem.cli.command import fail
from hakmem.cli.startup_command import StartupCommand
from hakmem.shown import print_line

TYPE_CHECKING = False
if TYPE_CHECKING:
    from argparse import Namespace


class InstallStartup(StartupCommand):
    """Put a startup file into this environment, which enables hakmem where HAKMEM=1 is set.

    It reaches what `hakmem run` cannot: child processes, and servers that start their own interpreters. Without
    HAKMEM=1 it does nothing, and HAKMEM=0 always wins. Doing it twice changes nothing.
    """

    name = "install-startup"

    def execute(self, arguments: "Namespace") -> int:
        if arguments.user and not site.ENABLE_USER_SITE:
            return fail("this Python does not read the user's site directory; leave --user out", 1)
        directory = self.directory(arguments.user)
        try:
            startup_files.install(directory)
        except OSError as error:
            return fail(self.explain(error, arguments.user), 1)
        print_line(f"installed in {directory}: {', '.join(startup_files.FILES)}; set HAKMEM=1 to enable hakmem")
        return 0

    def advice(self) -> str:
        if site.ENABLE_USER_SITE:
            return "use --user, or a virtual environment of your own"
        return "do it as its owner, or in a virtual environment of your own"


COMMAND = InstallStartup()
