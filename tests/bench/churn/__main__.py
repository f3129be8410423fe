"""Time and memory of programs that build and drop over and over, under hakmem with several bounds and its peers.

make bench-churn              (RUNS=3 SHORT=1 BENCH_ARGS="--workloads 'json document' --peers 'mimalloc,hakmem'")
make bench-churn BENCH_ARGS=--by-turns     processor time alone: round by round, on one processor, each peer in turn
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from hakmem.measure.allocators import hakmem_options

from bench.churn import cases, contenders
from bench.churn.report import all_tables
from bench.churn.results import ChurnResults
from bench.churn.runner import ChurnSample, measure
from bench.churn.targets import judge
from bench.churn.turns import TurnResults, judge_turns, turns_table
from bench.shared import command, machine, peers, tables
from bench.shared.command import words
from bench.shared.results import compare_digests
from bench.shared.turns import measure_by_turns


def parse_arguments() -> argparse.Namespace:
    names = [name for group in cases.GROUPS.values() for name in group]
    parser = command.workload_parser("bench.churn", __doc__, contenders.STOCK, names, "how often each is done")
    turns = "processor time alone, of programs in Python: each peer does a round in turn, on one processor"
    parser.add_argument("--by-turns", action="store_true", help=turns)
    native = "the folder of the programs in C (%(default)s)"
    parser.add_argument("--native", type=Path, default=Path("build/bench/native"), help=native)
    parser.add_argument("--host", type=Path, help="the C host of Lua programs; without it they are left out")
    arguments = command.parse(parser)
    arguments.host = arguments.host and arguments.host.resolve()
    return arguments


def measure_all(
    chosen: list[peers.Peer], programs: list[cases.Case], arguments: argparse.Namespace
) -> list[ChurnSample]:
    samples = []
    for run in range(arguments.runs):
        for number, case in enumerate(programs):
            print(f"run {run + 1} of {arguments.runs}: {case.name}", file=sys.stderr, flush=True)
            for peer in peers.in_turn(chosen, run + number):
                samples.append(measure(case.name, peer.name, case.start(peer)))
    compare_digests(samples, contenders.STOCK)
    names = [case.name for case in programs]
    order = {peer.name: position for position, peer in enumerate(chosen)}
    return sorted(samples, key=lambda sample: (names.index(sample.workload), order[sample.peer]))


def finish_by_turns(chosen: list[peers.Peer], arguments: argparse.Namespace, notes: dict[str, object]) -> int:
    names = command.choose_workloads(words(arguments.workloads), dict.fromkeys(cases.BY_TURNS, ""))
    samples = []
    for name in names:
        print(name, file=sys.stderr, flush=True)
        starts = {peer.name: cases.by_turns(name, arguments.scale, peer) for peer in chosen}
        samples += measure_by_turns(name, starts, cases.round_count(name, arguments.scale))
    compare_digests(samples, contenders.STOCK)
    results = TurnResults(samples)
    output = tables.console()
    output.print(machine.heading(notes), markup=False)
    output.print(f"each program {arguments.scale:g} of its rounds, by turns\n", markup=False)
    output.print(turns_table(results))
    document = notes | {"scale": arguments.scale, "samples": [sample.as_json() for sample in samples]}
    verdicts = judge_turns(results)
    command.finish(output, arguments.out / "churn-by-turns.json", document, verdicts)
    return 1 if results.failures() else 0


def main() -> int:
    arguments = parse_arguments()
    known_cases = cases.all_cases(arguments.scale, arguments.native.resolve(), arguments.host)
    known = contenders.python_contenders(arguments.mimalloc)
    notes = machine.describe(known, sys.orig_argv)
    chosen = peers.choose(known, words(arguments.peers), contenders.STOCK)
    if arguments.by_turns:
        return finish_by_turns(chosen, arguments, notes)
    absent = {name: case.absent for name, case in known_cases.items()}
    names = command.choose_workloads(words(arguments.workloads), absent)
    samples = measure_all(chosen, [known_cases[name] for name in names], arguments)

    results = ChurnResults(samples)
    verdicts = judge(results, hakmem_options()) if results.ours in results.peers else []
    libraries = cases.libraries(names)
    output = tables.console()
    output.print(machine.heading(notes), markup=False)
    for text in libraries.values():
        output.print(text, markup=False)
    output.print(
        f"{arguments.runs} runs in turn, medians; each program {arguments.scale:g} of its rounds\n", markup=False
    )
    output.print(all_tables(results))
    document = notes | {
        "runs": arguments.runs,
        "scale": arguments.scale,
        "libraries": libraries,
        "samples": [sample.as_json() for sample in samples],
    }
    command.finish(output, arguments.out / "churn.json", document, verdicts)
    return 1 if results.failures() else 0


if __name__ == "__main__":
    sys.exit(main())
