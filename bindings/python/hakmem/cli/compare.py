"""`hakmem compare`: reads the words, shows how far it is, says at the end what could not be measured."""

import contextlib
import os
import sys

from hakmem.cli.command import UsageError, fail
from hakmem.cli.measure_command import MeasureCommand, interval_seconds_of, positive, positive_whole
from hakmem.shown import shown_on

TYPE_CHECKING = False
if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace
    from typing import Any

    from hakmem.measure.runs import Run
    from hakmem.measure.sampler import Sample

MEBIBYTE = 1024 * 1024
SECONDS_BETWEEN_LINES = 0.2


class Compare(MeasureCommand):
    """Run a program under several allocators and show what each did to its resident memory.

    PROGRAM is what would stand behind `python` (script.py, -m module, -c code) or behind `lua` (script.lua). It is run
    under pymalloc, hakmem, hakmem with malloc (run --all), malloc, PYTHONMALLOC=mimalloc, jemalloc and mimalloc, these
    two also told to keep nothing, as far as they are there, in turn, and sampled from outside with all its descendants.
    Prints tables and whether hakmem helps; DIR gets report.html (all in one file), rss.png and result.json. Its output
    is shown only where it fails.
    """

    name = "compare"

    def add_arguments(self, parser: "ArgumentParser") -> None:
        parser.usage = "hakmem compare [options] [--] SCRIPT | -m MODULE | -c CODE [args...]"
        parser.add_argument("--allocators", metavar="A,B", default="", help="only these (the baseline always)")
        parser.add_argument("--runs", metavar="N", default="3", help="runs under each (3)")
        parser.add_argument("--out", metavar="DIR", default="hakmem-compare", help="for the report (%(default)s)")
        parser.add_argument("--force", action="store_true", help="overwrite a report in DIR")
        parser.add_argument("--timeout", metavar="S", default="600", help="seconds after which a run has failed (600)")
        parser.add_argument("--interval", metavar="MS", default="20", help="milliseconds between two looks (20)")
        parser.add_argument("--lua", metavar="PATH", help="the Lua interpreter (lua)")
        parser.add_argument("--json", action="store_true", help="print the result as JSON instead of tables")

    def main(self, words: list[str]) -> int:
        """Take our own options off the front: all behind them is the program's."""
        own, program = split_own_options(words, with_value=VALUE_OPTIONS, alone=("--force", "--json", "-h", "--help"))
        arguments = self.parser().parse_args(own)
        if not program:
            raise UsageError("a program is missing: SCRIPT, -m MODULE or -c CODE; see 'hakmem compare --help'")
        if program[0].startswith("-") and program[0][:2] not in ("-m", "-c"):
            raise UsageError(f"unknown option {program[0]!r} of hakmem compare; see 'hakmem compare --help'")
        if program[0] in ("-m", "-c") and len(program) < 2:
            raise UsageError(f"{program[0]} needs {'a module' if program[0] == '-m' else 'code'} behind it")
        arguments.program = program
        return self.execute(arguments)

    def measure(self, arguments: "Namespace") -> int:
        turns = positive_whole(arguments.runs, "--runs")
        timeout_seconds = positive(arguments.timeout, "--timeout")
        interval_seconds = interval_seconds_of(arguments.interval)
        from hakmem.measure import allocators, compare, files, interrupts, presentation, programs
        from hakmem.measure.extras import require

        for module in ("psutil", "rich", "matplotlib.figure"):  # what is missing is named before anything runs
            require(module)
        program = programs.program_of(arguments.program, arguments.lua)
        paths = [os.path.join(arguments.out, name) for name in presentation.OUTPUTS]
        files.check_free(paths, arguments.force)
        find = allocators.python_allocators if program.language == "python" else allocators.lua_allocators
        known = find(program.interpreter)
        wanted = _wanted_of(arguments.allocators, {allocators.word_of(row.name): row.name for row in known})
        chosen = allocators.choose(known, wanted, allocators.BASELINES[program.language])
        files.make_directory(arguments.out)
        with interrupts.Interrupts() as noted:  # until all is shown: what was measured is kept
            result = compare.compare(
                program,
                chosen,
                turns=turns,
                interval_seconds=interval_seconds,
                timeout_seconds=timeout_seconds,
                progress=Progress(),
                interrupts=noted,
            )
            presented = presentation.Presentation(result, arguments.out)
            presented.show(arguments.json)
        if presented.unwritten:
            return fail(presented.unwritten, 1)
        if presented.output_error is not None:
            raise presented.output_error
        return _exit_code_of(result, arguments.out) or int(presented.has_failed)


VALUE_OPTIONS = ("--allocators", "--runs", "--out", "--timeout", "--interval", "--lua")


def split_own_options(
    words: list[str], with_value: "tuple[str, ...]", alone: "tuple[str, ...]"
) -> "tuple[list[str], list[str]]":
    """Return our own options at the front, and the program's words; -- ends the options."""
    position = 0
    while position < len(words):
        word = words[position]
        if word == "--":
            return words[:position], words[position + 1 :]
        if word in with_value:
            position += 2
        elif word in alone or word.startswith(tuple(f"{name}=" for name in with_value)):
            position += 1
        else:
            break
    return words[:position], words[position:]


def _wanted_of(text: str, known: dict[str, str]) -> list[str]:
    """Read --allocators, by word. Raises UsageError for a name that there is not."""
    words = [word for word in text.split(",") if word]
    for word in words:
        if word not in known:
            raise UsageError(f"there is no allocator {word!r}; give some of {','.join(known)}")
    return [known[word] for word in words]


def _exit_code_of(result: "dict[str, Any]", directory: str) -> int:
    """Say what was not measured, if anything."""
    if result["was_interrupted"]:
        return fail(f"interrupted; {directory} has what was measured so far", 1)
    failed = [name for name, row in result["summary"].items() if row["failures"]]
    if failed:
        said = any(run["output_tail"] for run in result["runs"] if run["allocator"] in failed)
        end = "the last lines of its output stand above" if said else "it printed nothing"
        return fail(f"the program failed under {', '.join(failed)}; {end}", 1)
    missing = [row["missing"] for row in result["allocators"] if row["name"] == "hakmem" and row["missing"]]
    if missing:
        return fail(f"hakmem could not be measured: {missing[0]}", 1)
    return 0


class Progress:
    """Lines on stderr, one per finished run; on a terminal the present run's is rewritten while it goes on."""

    def __init__(self) -> None:
        """Find out who watches."""
        self._is_live = sys.stderr.isatty()
        self._label = ""
        self._shown_seconds = 0.0

    def begin(self, name: str, turn: int, turns: int) -> None:
        """Begin a run."""
        self._label = f"run {turn + 1} of {turns} under {name}"
        self._shown_seconds = -SECONDS_BETWEEN_LINES

    def sampled(self, sample: "Sample") -> None:
        """Show a look at its memory."""
        if self._is_live and sample.seconds - self._shown_seconds >= SECONDS_BETWEEN_LINES:
            self._shown_seconds = sample.seconds
            text = f"{self._label}: {sample.seconds:.1f} s, {sample.rss_bytes / MEBIBYTE:.0f} MiB"
            self._show(f"\r{text:<78}")

    def ended(self, name: str, run: "Run") -> None:
        """Show how it ended."""
        clear = f"\r{'':<78}\r" if self._is_live else ""
        self._show(f"{clear}{self._label}: {shown_on(sys.stderr, _how_it_ended(run))}\n")

    def _show(self, text: str) -> None:
        with contextlib.suppress(OSError):  # a terminal that was closed must not cost what was measured
            print(text, end="", file=sys.stderr, flush=True)


def _how_it_ended(run: "Run") -> str:
    from hakmem.measure.figures import figures_of

    if run.failure:
        return f"failed: {run.failure}"
    peak_bytes = figures_of(run)["peak_bytes"] or 0
    return f"peak {peak_bytes / MEBIBYTE:.1f} MiB, {run.wall_seconds:.1f} s"


COMMAND = Compare()
