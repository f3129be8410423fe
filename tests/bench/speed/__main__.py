"""Measures hot loops, Python programs and the C core under every peer, in turn, and prints tables and verdicts.

make bench-speed        or: PYTHONPATH=tests python -m bench.speed --mimalloc FOLDER --native FOLDER
"""

from __future__ import annotations

import argparse
import itertools
import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from bench.shared import machine, peers, tables
from bench.shared.peers import Peer
from bench.shared.verdicts import verdict_table
from bench.speed import cases, report
from bench.speed.programs import PROGRAMS

PARTS = ("loops", "instructions", "programs", "threads")
THREAD_SECONDS = 0.5


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench.speed", description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--out", type=Path, default=Path("build/bench"), help="where the JSON goes")
    parser.add_argument("--mimalloc", type=Path, default=Path("build/bench/mimalloc"), help="holds libmimalloc.so")
    parser.add_argument("--native", type=Path, default=Path("build/bench/native"), help="holds threads, threads-libc")
    parser.add_argument("--runs", type=int, default=5, help="processes per case")
    parser.add_argument("--short", action="store_true", help="one process per case, no callgrind")
    parser.add_argument("--parts", default="", help=f"a comma-separated choice of: {', '.join(PARTS)}")
    parser.add_argument("--cases", default="", help="a choice of patterns, programs or profiles, separated by ';'")
    parser.add_argument("--peers", default="", help="a comma-separated choice of peers; pymalloc is always there")
    arguments = parser.parse_args()
    if arguments.short:
        arguments.runs = 1
    return arguments


def words(text: str, separator: str = ",") -> list[str]:
    return [word.strip() for word in text.split(separator) if word.strip()]


@dataclass
class Case:
    """Something to be measured under each peer that it is for."""

    name: str
    measure: Callable[[Peer], cases.Sample]
    is_for: Callable[[Peer], bool]


def plan(parts: list[str], wanted: list[str], folder: Path, native: Path) -> list[Case]:
    planned: list[Case] = []

    def add(name: str, choice: str, measure: Callable[[Peer], cases.Sample], is_for: Callable[[Peer], bool]) -> None:
        if not wanted or choice in wanted:
            planned.append(Case(name, measure, is_for))

    if "loops" in parts:
        for index, name in enumerate(cases.pattern_names(folder)):
            add(name, name, partial(cases.loop, index, name, folder), lambda peer: True)
    if "programs" in parts:
        for name in PROGRAMS:
            add(name, name, partial(cases.program, name), lambda peer: True)
    if "threads" in parts:
        for profile, count in itertools.product(cases.THREAD_PROFILES, cases.THREAD_COUNTS):
            measure = partial(cases.threads, profile, count, THREAD_SECONDS, native)
            add(f"{profile}, {count} threads", profile, measure, cases.is_for_threads)
    return planned


def measure_all(chosen: list[Peer], arguments: argparse.Namespace) -> list[cases.Sample]:
    folder = cases.prepare_extension(arguments.out)
    chosen = [chosen[0], peers.pass_through_peer(folder), *chosen[1:]]
    parts = words(arguments.parts) or list(PARTS)
    planned = plan(parts, words(arguments.cases, ";"), folder, arguments.native)
    samples = []
    for run in range(arguments.runs):
        for number, case in enumerate(planned):
            print(f"run {run + 1} of {arguments.runs}: {case.name}", file=sys.stderr, flush=True)
            for peer in filter(case.is_for, peers.in_turn(chosen, run + number)):
                samples.append(case.measure(peer))
    if "instructions" in parts and not arguments.short and cases.has_valgrind():
        for peer in chosen:
            print(f"instructions: {peer.name}", file=sys.stderr, flush=True)
            samples += cases.instructions(peer, cases.pattern_names(folder), folder)
    cases.compare_checks(samples)
    order = {peer.name: position for position, peer in enumerate(chosen)} | {"glibc": -1}
    return sorted(samples, key=lambda sample: (PARTS.index(sample.part), order[sample.peer]))


def main() -> int:
    arguments = parse_arguments()
    known = peers.python_peers(arguments.mimalloc)
    notes = machine.describe(known, sys.orig_argv)
    chosen = [peer for peer in peers.choose(known, words(arguments.peers)) if not peer.absent]
    samples = measure_all(chosen, arguments)

    results = report.Results(samples)
    verdicts = report.judge(results)
    output = tables.console()
    output.print(machine.heading(notes), markup=False)
    output.print(f"{arguments.runs} processes per case, in turn\n", markup=False)
    for part in PARTS:
        for made in report.part_tables(results, part) if results.cases(part) else []:
            output.print(made, "")
    if results.failures():
        output.print(report.failure_table(results), "")
    output.print(verdict_table(verdicts))
    file = arguments.out / "speed.json"
    document = notes | {
        "runs": arguments.runs,
        "samples": [sample.as_json() for sample in samples],
        "targets": [verdict.as_json() for verdict in verdicts],
    }
    file.write_text(json.dumps(document, indent=1) + "\n")
    output.print(f"\nall samples: {file}", markup=False)
    return 1 if results.failures() else 0


if __name__ == "__main__":
    sys.exit(main())
