"""Memory and time of whole programs, malloc included: the C library, its peers, hakmem for objects, hakmem for all.

make bench-process            (RUNS=3 SHORT=1 BENCH_ARGS="--workloads 'numpy arrays' --kept 1 --peers jemalloc")
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

from hakmem import preload
from hakmem.measure.allocators import hakmem_options

from bench.process.pairs import PAIRS_MAX, Pairs, measure_pairs
from bench.process.report import CPU_RATIO_MAX, OURS, STOCK, all_tables, case_name, judge
from bench.process.start import Start, measure_starts
from bench.process.workloads import WORKLOADS
from bench.shared import command, machine, peers, tables
from bench.shared.command import words
from bench.shared.results import Results, compare_digests
from bench.shared.runner import Sample, measure

PYTHON_PATH = Path(__file__).resolve().parents[2]
IDLE_SECONDS = 0.6
KEPT_PERCENT = ("0", "1", "5")
SHORT_PAIRS_MAX = 2
START_ROUNDS = 5


def parse_arguments() -> argparse.Namespace:
    parser = command.workload_parser("bench.process", __doc__, STOCK, WORKLOADS)
    parser.add_argument("--kept", default="", help=f"percent that is not dropped, {command.choice_of(KEPT_PERCENT)}")
    return command.parse(parser)


def program_of(workload: str, arguments: argparse.Namespace) -> list[str]:
    inputs = (arguments.out / "inputs").resolve()
    return ["-m", "bench.process.child", workload, str(arguments.scale), str(inputs)]


def measure_all(
    chosen: list[peers.Peer], workloads: list[str], kept: list[str], arguments: argparse.Namespace
) -> list[Sample]:
    samples = []
    for run in range(arguments.runs):
        for number, workload in enumerate(workloads):
            print(f"run {run + 1} of {arguments.runs}: {workload}", file=sys.stderr, flush=True)
            program = program_of(workload, arguments)
            write_input(program)
            for percent in kept:
                name = case_name(workload, percent)
                for peer in peers.in_turn(chosen, run + number):
                    samples.append(measure(name, peer, [*program, percent], PYTHON_PATH, IDLE_SECONDS))
    compare_digests(samples, STOCK)
    cases = [case_name(workload, percent) for workload in workloads for percent in kept]
    order = {peer.name: position for position, peer in enumerate(chosen)}
    return sorted(samples, key=lambda sample: (cases.index(sample.workload), order[sample.peer]))


def measure_all_pairs(
    chosen: list[peers.Peer], workloads: list[str], kept: list[str], arguments: argparse.Namespace
) -> list[Pairs]:
    """After the samples, whose inputs they read."""
    peer = {peer.name: peer for peer in chosen}
    found = []
    for workload in workloads:
        print(f"processor time in pairs: {workload}", file=sys.stderr, flush=True)
        for percent in kept:
            name, program = case_name(workload, percent), [*program_of(workload, arguments), percent]

            def measure_peer(which: str, name: str = name, program: list[str] = program) -> Sample:
                return measure(name, peer[which], program, PYTHON_PATH, IDLE_SECONDS)

            pairs_max = SHORT_PAIRS_MAX if arguments.short else PAIRS_MAX
            found.append(measure_pairs(name, STOCK, OURS, CPU_RATIO_MAX, measure_peer, pairs_max))
    compare_digests([sample for pairs in found for sample in pairs.samples()], STOCK)
    return found


def write_input(program: list[str]) -> None:
    environment = peers.clean_environment() | {"PYTHONPATH": str(PYTHON_PATH)}
    result = subprocess.run([sys.executable, *program, "write"], env=environment, capture_output=True, text=True)
    if result.returncode:
        sys.exit(f"error: the input of {program[2]!r} could not be written: {result.stderr.strip()[-300:]}")


def main() -> int:
    arguments = parse_arguments()
    kept = words(arguments.kept) or list(KEPT_PERCENT)
    command.check_names("share in percent", kept, KEPT_PERCENT)
    known = peers.process_peers(arguments.mimalloc)
    notes = machine.describe(known, sys.orig_argv)
    chosen = peers.choose(known, words(arguments.peers), STOCK)
    absent = {name: source.absent() for name, source in WORKLOADS.items()}
    workloads = command.choose_workloads(words(arguments.workloads), absent)
    samples = measure_all(chosen, workloads, kept, arguments)
    starts: list[Start] = []
    pairs: list[Pairs] = []
    if OURS in [peer.name for peer in chosen]:
        pairs = measure_all_pairs(chosen, workloads, kept, arguments)
        print("start of a small program", file=sys.stderr, flush=True)
        starts = measure_starts(Path(preload.library_path()), hakmem_options(), START_ROUNDS * arguments.runs)

    results = Results(samples, STOCK, OURS)
    verdicts = judge(results, pairs, starts) if OURS in results.peers else []
    versions = {name: WORKLOADS[name].versions() for name in workloads if WORKLOADS[name].needs}
    output = tables.console()
    output.print(machine.heading(notes), markup=False)
    output.print("; ".join(dict.fromkeys(", ".join(versions.values()).split(", "))), markup=False)
    output.print(f"{arguments.runs} runs in turn, medians; workloads at scale {arguments.scale:g}\n", markup=False)
    output.print(all_tables(results, pairs, starts))
    document = notes | {
        "runs": arguments.runs,
        "scale": arguments.scale,
        "libraries": versions,
        "samples": [sample.as_json() for sample in samples],
        "pairs": [sample.as_json() for each in pairs for sample in each.samples()],
        "starts": [start.as_json() for start in starts],
    }
    command.finish(output, arguments.out / "process.json", document, verdicts)
    return 1 if results.failures() or any(each.failures() for each in pairs) else 0


if __name__ == "__main__":
    sys.exit(main())
