"""Measures hot loops, Python programs and the C core under every peer, in turn, and prints tables and verdicts.

make bench-speed        or: PYTHONPATH=tests python -m bench.speed --mimalloc FOLDER --native FOLDER
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path

from bench.shared import command, machine, peers, tables
from bench.shared.command import words
from bench.shared.peers import Peer
from bench.speed import cases, curves, report, suite
from bench.speed.curves_report import curve_tables
from bench.speed.plan import PARTS, SAMPLE_PARTS, Plan, chosen_parts
from bench.speed.sample import Sample
from bench.speed.suite_environment import SuiteEnvironment


def parse_arguments() -> argparse.Namespace:
    parser = command.parser("bench.speed", __doc__, 5, "one process per case, small sizes, no callgrind", "pymalloc")
    native = "the folder of the programs in C (%(default)s)"
    parser.add_argument("--native", type=Path, default=Path("build/bench/native"), help=native)
    parser.add_argument("--parts", default="", help=command.choice_of(PARTS))
    choices = "patterns, programs, profiles, pyperformance's benchmarks, heap, alive, pauses"
    parser.add_argument("--cases", default="", help=f"a choice of: {choices}; separated by ';'")
    parser.add_argument(
        "--benchmarks",
        default=",".join(suite.SUBSET),
        help="pyperformance: some benchmarks and groups (default, serialize, ...), comma-separated; else %(default)s",
    )
    arguments = parser.parse_args()
    command.check_names("part", words(arguments.parts), PARTS)
    if arguments.short:
        arguments.runs = 1
    return arguments


def prepare_suite(arguments: argparse.Namespace, notes: dict[str, object]) -> suite.Suite | None:
    if "pyperformance" not in chosen_parts(arguments):
        return None
    environment = SuiteEnvironment(arguments.out)
    notes["suite"] = environment.versions
    return suite.Suite(environment, environment.choose(words(arguments.benchmarks)))


def measure_all(plan: Plan, chosen: list[Peer], arguments: argparse.Namespace, extension: Path) -> list[Sample]:
    samples: list[Sample] = []
    for run in range(arguments.runs):
        for number, case in enumerate(plan.cases):
            print(f"run {run + 1} of {arguments.runs}: {case.name}", file=sys.stderr, flush=True)
            for peer in filter(case.is_for, peers.in_turn(chosen, run + number)):
                samples += [replace(s, huge_pages=machine.huge_pages()) for s in case.measure(peer)]
            if case.name == "pauses":
                samples.append(curves.pauses_of_the_machine(arguments.native))
    if plan.instructions:
        for peer in chosen:
            print(f"instructions: {peer.name}", file=sys.stderr, flush=True)
            samples += cases.instructions(peer, plan.instructions, extension)
    cases.compare_checks(samples)
    samples = suite.failures_by_case(samples)
    order = {peer.name: position for position, peer in enumerate(chosen)} | {"glibc": -1, "no allocator": -2}
    return sorted(samples, key=lambda sample: (SAMPLE_PARTS.index(sample.part), order[sample.peer]))


def changes_of_huge_pages(samples: list[Sample]) -> list[str]:
    """A line where the setting did not stay what it was: then not all samples are comparable."""
    counts = Counter(sample.huge_pages for sample in samples if sample.huge_pages)
    seen = ", ".join(f"{setting} at {count} samples" for setting, count in counts.items())
    return [f"transparent huge pages were changed during the run: {seen}"] if len(counts) > 1 else []


def main() -> int:
    arguments = parse_arguments()
    extension = cases.prepare_extension(arguments.out)
    stock, *others = peers.python_peers(arguments.mimalloc.resolve())
    known = [stock, peers.pass_through_peer(extension), *others]
    notes = machine.describe(known, sys.orig_argv)
    chosen = peers.choose(known, words(arguments.peers))
    plan = Plan(arguments, extension, prepare_suite(arguments, notes))
    samples = measure_all(plan, chosen, arguments, extension)

    results = report.Results(samples)
    output = tables.console()
    output.print(machine.heading(notes), markup=False)
    for text in [notes["suite"]] if "suite" in notes else []:
        output.print(text, markup=False)
    for text in plan.left_out:
        output.print(f"left out: {text}", markup=False)
    for text in changes_of_huge_pages(samples):
        output.print(text, markup=False)
    output.print(f"{arguments.runs} processes per case, in turn\n", markup=False)
    for part in SAMPLE_PARTS:
        if results.cases(part):
            made = report.part_tables if part in report.BASELINES else curve_tables
            for table in made(results, part):
                output.print(table, "")
    if results.failures():
        output.print(report.failure_table(results), "")
    document = notes | {
        "runs": arguments.runs,
        "left_out": plan.left_out,
        "samples": [sample.as_json() for sample in samples],
    }
    command.finish(output, arguments.out / "speed.json", document, report.judge(results))
    return 1 if results.failures() else 0


if __name__ == "__main__":
    sys.exit(main())
