"""What the benchmarks' command lines have in common: arguments, and the end with verdicts and a JSON file."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from rich.console import Console

from bench.shared.verdicts import Verdict, verdict_table


def parser(name: str, documentation: str | None, runs: int, short: str) -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(prog=name, description=(documentation or "").splitlines()[0])
    made.add_argument("--out", type=Path, default=Path("build/bench"), help="where the JSON goes")
    made.add_argument("--mimalloc", type=Path, default=Path("build/bench/mimalloc"), help="holds libmimalloc.so")
    made.add_argument("--runs", type=int, default=runs, help="processes per case")
    made.add_argument("--short", action="store_true", help=short)
    made.add_argument("--peers", default="", help="a comma-separated choice of peers; pymalloc is always there")
    return made


def words(text: str, separator: str = ",") -> list[str]:
    return [word.strip() for word in text.split(separator) if word.strip()]


def finish(output: Console, file: Path, document: Mapping[str, object], verdicts: Sequence[Verdict]) -> None:
    """Prints the verdicts, writes them and `document` as JSON."""
    output.print(verdict_table(verdicts))
    file.parent.mkdir(parents=True, exist_ok=True)
    targets = [verdict.as_json() for verdict in verdicts]
    file.write_text(json.dumps({**document, "targets": targets}, indent=1) + "\n")
    output.print(f"\nall samples: {file}", markup=False)
