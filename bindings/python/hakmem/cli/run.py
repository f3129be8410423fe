"""`hakmem run`: sets the stage as `python` would, lets CPython's own machinery run the program, ends as it ended."""

import os
import sys

import hakmem
from hakmem import _hakmem, startup_files
from hakmem.cli.command import Command, UsageError, fail
from hakmem.message import say

TYPE_CHECKING = False
if TYPE_CHECKING:
    from argparse import ArgumentParser
    from types import ModuleType, TracebackType

SCRIPT_IS_MISSING = 2  # what run_file returns then, and then only: sys.exit(2) ends the process
OWN_OPTIONS = ("--all", "--children", "--stats", "--require")


class Run(Command):
    """Run a Python program with its memory served by hakmem.

    Everything behind SCRIPT, -m MODULE, -c CODE or - (standard input) belongs to the program, which runs as it would
    under `python`. Where swapping is not safe it runs all the same, after one line that says why. With HAKMEM=0 in the
    environment it runs without hakmem. Child processes are reached if `hakmem install-startup` was done.

    With --all the C library's malloc is served, too: what lxml, OpenSSL, SQLite allocate. The interpreter is
    executed once more for that, with a library preloaded that the program's environment does not show. Children that
    execute the same interpreter, as workers do, are served as the program is; others with --children.
    """

    name = "run"

    def add_arguments(self, parser: "ArgumentParser") -> None:
        parser.usage = (
            "hakmem run [--all [--children]] [--stats] [--require] SCRIPT | -m MODULE | -c CODE | - [args...]"
        )
        parser.add_argument("--all", action="store_true", help="serve the C library's malloc, too")
        parser.add_argument("--children", action="store_true", help="with --all: also malloc of all other children")
        parser.add_argument("--stats", action="store_true", help="print the stats table on stderr at exit")
        parser.add_argument("--require", action="store_true", help="exit with 1 where hakmem cannot be enabled")

    def main(self, words: list[str]) -> int:
        own: set[str] = set()
        only_script = False
        position = 0
        while position < len(words) and words[position].startswith("-") and not only_script:
            word = words[position]
            if word in OWN_OPTIONS:
                own.add(word)
            elif word in ("-h", "--help"):
                self.parser().print_help()
                return 0
            elif word == "--":
                only_script = True
            elif word == "-" or word[:2] in ("-m", "-c"):
                break
            else:
                from hakmem.cli.interpreter_options import misplaced_option_error

                raise misplaced_option_error(words, OWN_OPTIONS)
            position += 1
        program = Program(words[position:], only_script)
        wants_hakmem = "--require" in own
        if "--children" in own and "--all" not in own:
            raise UsageError("--children goes with --all; give both, or neither")
        if "--all" in own and _hakmem.malloc_is_served():
            os.environ.pop("_HAKMEM_SECOND", None)
        elif "--all" in own:
            refusal = _refusal_of_malloc(own)
            if wants_hakmem:
                return fail(f"malloc cannot be served, and --require was given: {refusal}", 1)
        try:
            is_enabled = _enable("--stats" in own)
            refusal = "HAKMEM=0 is set in the environment"
        except hakmem.UnsupportedError as error:
            is_enabled = False
            refusal = str(error)
            if not wants_hakmem:
                rest = "its objects run without hakmem" if _hakmem.malloc_is_served() else "runs without hakmem"
                say(f"warning: {rest}: {refusal}")
        if wants_hakmem and not is_enabled:
            return fail(f"hakmem cannot be enabled, and --require was given: {refusal}", 1)
        return _end_like(program.run())


class Program:
    """What is to be run, taken from the words of the command line as `python` takes them."""

    def __init__(self, words: list[str], only_script: bool) -> None:
        """Tell script, module, command and standard input apart. Behind -- there is a script or standard input."""
        if not words:
            raise UsageError("hakmem run needs SCRIPT, -m MODULE, -c CODE or - for standard input")
        self.words = ["--", *words] if only_script else words
        word = words[0]
        self.target = word
        self.arguments = words[1:]
        if word == "-":
            self.kind = "stdin"
        elif only_script or not word.startswith("-"):
            self.kind = "script"
        else:
            self.kind = "module" if word[1] == "m" else "command"
            joined = word[2:]  # python takes -mMODULE, too
            if not joined and len(words) < 2:
                raise UsageError(f"{word} needs {'the name of a module' if word == '-m' else 'code'} behind it")
            self.target = joined or words[1]
            self.arguments = words[1:] if joined else words[2:]

    def run(self) -> int:
        """Run it in place of whatever was __main__; the exit code, or -SIGINT."""
        if not hasattr(_hakmem, "run_file"):  # not CPython: nothing to enable in this process
            os.execv(sys.executable, [sys.executable, *self.words])
        _replace_main_module()
        if self.kind == "module":
            self._set_argv("-m")
            _set_path0(_working_directory())
            return _hakmem.run_module(self.target, True)
        if self.kind == "command":
            self._set_argv("-c")
            _set_path0("")
            return _hakmem.run_command(_dedented(self.target) + "\n")
        self._set_argv(self.target)
        if self.kind == "stdin":
            _set_path0("")
            return _hakmem.run_stdin()
        return self._run_script()

    def _run_script(self) -> int:
        path = _absolute_path(self.target)
        if _hakmem.is_importable(path):
            _set_path0(path, always=True)
            return _hakmem.run_module("__main__", False)
        _set_path0(os.path.dirname(_real_path(self.target)))
        code = _hakmem.run_file(_program_name(), path)
        if code == SCRIPT_IS_MISSING:
            self._hint_at_module()
        return code

    def _hint_at_module(self) -> None:
        """Tell who gave the name of a program, as for `hakmem exec`, how to run its module."""
        if not self.target.isidentifier():
            return
        from importlib.util import find_spec

        try:
            spec = find_spec(self.target)
        except ValueError:  # of a module that was made without one
            return
        folders = spec.submodule_search_locations if spec is not None else []
        if folders is None or any(os.path.exists(os.path.join(folder, "__main__.py")) for folder in folders):
            say(f"{self.target} is the name of a module, which runs by -m: hakmem run -m {self.target}")

    def _set_argv(self, first: str) -> None:
        sys.argv[:] = [first, *self.arguments]


def _refusal_of_malloc(own_options: set[str]) -> str:
    """Execute this interpreter again, with malloc served; returns, with the reason, only where that cannot be."""
    from hakmem import preload
    from hakmem.cli import whole_process

    refusal = preload.reason_of_environment()
    if not refusal:
        refusal = whole_process.execute_again(own_options)
        if "--require" not in own_options:
            say(f"warning: malloc is not served: {refusal}")
    return refusal


def _enable(wants_stats: bool) -> bool:
    """Enable hakmem for this process, and for its children as far as they can be reached. Raises UnsupportedError."""
    if wants_stats and hakmem.options():
        hakmem.set_option("counters", 1)
        hakmem.set_option("stats_at_exit", 1)
    is_enabled = hakmem.enable()
    if is_enabled and startup_files.installed_files():
        os.environ["HAKMEM"] = "1"
    return is_enabled


_kept: "list[ModuleType]" = []  # CPython's main still looks into the dict of the launcher's __main__ when it ends


def _replace_main_module() -> None:
    """Put a module into sys.modules that looks as __main__ does before a program runs."""
    _kept.append(sys.modules["__main__"])
    old = vars(_kept[0])
    new = type(sys)("__main__")
    new.__loader__ = sys.modules["builtins"].__loader__
    if "__annotations__" in old:  # CPython up to 3.13 starts with one
        new.__annotations__ = {}
    new.__dict__["__builtins__"] = sys.modules["builtins"]
    sys.modules["__main__"] = new


def _dedented(code: str) -> str:
    """Take common indentation off, as -c does from 3.14 on."""
    if sys.version_info < (3, 14) or not code.lstrip("\n")[:1].isspace():
        return code
    import textwrap

    return textwrap.dedent(code)


def _absolute_path(path: str) -> str:
    """Make it absolute as CPython's main does, which tidies nothing up but, from 3.11, no name and a lone dot."""
    directory = _working_directory()
    if directory is None:
        return path
    if path in ("", ".") and sys.version_info >= (3, 11):
        return directory
    return os.path.join(directory, path)


def _real_path(path: str) -> str:
    try:
        return os.path.realpath(path)
    except OSError:  # the working directory was removed
        return path


def _working_directory() -> "str | None":
    try:
        return os.getcwd()
    except OSError:  # it was removed, which python does not mind
        return None


def _program_name() -> str:
    """Return what `python` calls itself in an error line: the word that it was called by.

    Nobody typed the one in the first line of the installed script `hakmem`; there its last part stands for it.
    """
    typed = sys.orig_argv[0]
    return os.path.basename(typed) if _hakmem.executed_path() in sys.orig_argv[1:] else typed


def _set_path0(directory: "str | None", always: bool = False) -> None:
    """Put the program's directory where `python` puts it: in place of the launcher's, unless -P or -I forbid both.

    None: a removed one, for which python puts nothing there; nor did it for `-m hakmem`, which was started in it.
    """
    own = [directory] if directory is not None else []
    is_module = vars(_kept[0]).get("__spec__") is not None
    if not getattr(sys.flags, "safe_path", sys.flags.isolated):
        sys.path[: 0 if is_module and _working_directory() is None else 1] = own
    elif always:
        sys.path[:0] = own


def _end_like(exit_code: int) -> int:
    """Let a program that ended by KeyboardInterrupt end this process by SIGINT, after everything was cleaned up.

    CPython does that by itself when the interrupt reaches the top. The program's traceback is printed already, so the
    second one is kept quiet. Where python inspects (-i, PYTHONINSPECT) it prints the SystemExit of the command, which
    is kept quiet, too, if a prompt follows; without one nothing but the exit code would be wrong, so there is none.
    """
    if exit_code >= 0 and sys.flags.inspect and not _prompt_follows():
        _hakmem.end(exit_code)
    if exit_code < 0 or sys.flags.inspect:
        _keep_next_exception_quiet()
    if exit_code < 0:
        raise KeyboardInterrupt
    return exit_code


def _prompt_follows() -> bool:
    """Tell whether python, which inspects, reads commands from standard input at the end."""
    try:
        return bool(sys.flags.interactive) or os.isatty(0)
    except OSError:
        return False


def _keep_next_exception_quiet() -> None:
    """Let the launcher's own exception pass unseen, also for `pdb.pm()` at the prompt of `python -i`."""
    excepthook = sys.excepthook
    last = {name: value for name, value in vars(sys).items() if name.startswith("last_")}

    def keep_quiet(kind: "type[BaseException]", value: BaseException, traceback: "TracebackType | None") -> None:
        sys.excepthook = excepthook
        for name in [name for name in vars(sys) if name.startswith("last_")]:
            delattr(sys, name)
        vars(sys).update(last)

    sys.excepthook = keep_quiet


COMMAND = Run()
