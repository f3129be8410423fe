"""What the benchmarks' command lines have in common: arguments, refusals, the end with verdicts and a JSON file."""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import NoReturn

from hakmem.shown import shown_on
from rich.console import Console

from bench.shared.verdicts import Verdict, verdict_table

WORKLOAD_RUNS = 3
SHORT_SCALE = 0.25


class Parser(argparse.ArgumentParser):
    """Says what is wrong in one line."""

    def __init__(self, name: str, documentation: str | None) -> None:
        super().__init__(prog=name, description=(documentation or "").splitlines()[0])

    def error(self, message: str) -> NoReturn:
        refuse(f"{message}; --help lists what there is")


def parser(name: str, documentation: str | None, runs: int, short: str, stock: str) -> Parser:
    made = Parser(name, documentation)
    file = f"{name.partition('.')[2]}.json"
    made.add_argument("--out", type=folder, default=Path("build/bench"), help=f"the folder of {file} (%(default)s)")
    mimalloc = "the folder of libmimalloc.so (%(default)s)"
    made.add_argument("--mimalloc", type=Path, default=Path("build/bench/mimalloc"), help=mimalloc)
    made.add_argument("--runs", type=positive_whole, default=runs, help="processes per case (%(default)s)")
    made.add_argument("--short", action="store_true", help=short)
    made.add_argument("--peers", default="", help=f"a comma-separated choice of peers (all); {stock} is always there")
    return made


def workload_parser(
    name: str, documentation: str | None, stock: str, workloads: Collection[str], scale: str = "size of the workloads"
) -> Parser:
    """Of a benchmark whose workloads have a size; `parse` reads it."""
    made = parser(name, documentation, WORKLOAD_RUNS, f"one run at scale {SHORT_SCALE:g}", stock)
    made.add_argument("--scale", type=positive, default=1.0, help=f"{scale} (%(default)s)")
    made.add_argument("--workloads", default="", help=choice_of(workloads))
    return made


def parse(made: Parser) -> argparse.Namespace:
    arguments = made.parse_args()
    if arguments.short:
        arguments.runs, arguments.scale = 1, SHORT_SCALE
    return arguments


def refuse(text: str) -> NoReturn:
    """Bad usage: one line, and 2."""
    fail(text, 2)


def fail(text: str, exit_code: int = 1) -> NoReturn:
    """One line, whatever names are in it."""
    print(f"error: {shown_on(sys.stderr, text)}", file=sys.stderr)
    raise SystemExit(exit_code)


def check_names(kind: str, wanted: Sequence[str], known: Collection[str], separator: str = ", ") -> None:
    """Refuses the first name that is not known."""
    for name in wanted:
        if name not in known:
            refuse(f"no {kind} {name!r}; there are: {separator.join(known)}")


def positive_whole(text: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text) == 0:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number above 0")
    return int(text)


def positive(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < math.inf:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number above 0")
    return value


def folder(text: str) -> Path:
    if Path(text).exists() and not Path(text).is_dir():
        raise argparse.ArgumentTypeError(f"{text!r} is a file; name a folder")
    try:
        Path(text).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise argparse.ArgumentTypeError(f"{text!r} cannot be made: {error.strerror}") from None
    return Path(text)


def choice_of(names: Collection[str]) -> str:
    """For a help text, in which argparse gives a percent sign a meaning."""
    return f"a comma-separated choice of: {', '.join(names)} (all)".replace("%", "%%")


def words(text: str, separator: str = ",") -> list[str]:
    return [word.strip() for word in text.split(separator) if word.strip()]


def choose_workloads(wanted: Sequence[str], absent: Mapping[str, str]) -> list[str]:
    """Those that are named, else all that can be measured here; tells of the others. `absent` has a reason, or nothing,
    for each."""
    check_names("workload", wanted, absent)
    chosen = []
    for name in wanted or absent:
        if absent[name] and wanted:
            refuse(f"workload {name!r} cannot be measured: {absent[name]}")
        if absent[name]:
            print(f"note: workload {name!r} is left out: {absent[name]}", file=sys.stderr)
        else:
            chosen.append(name)
    return chosen


def finish(output: Console, file: Path, document: Mapping[str, object], verdicts: Sequence[Verdict]) -> None:
    """Prints the verdicts, writes them and `document` as JSON."""
    output.print(verdict_table(verdicts))
    file.parent.mkdir(parents=True, exist_ok=True)
    targets = [verdict.as_json() for verdict in verdicts]
    file.write_text(json.dumps({**document, "targets": targets}, indent=1) + "\n")
    output.print(f"\nall samples: {shown_on(sys.stdout, str(file))}", markup=False)
