"""Measures resident memory of the workloads under every peer, in turn, and prints tables and verdicts.

make bench-rss          or: PYTHONPATH=tests python -m bench.rss --mimalloc FOLDER
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from bench.rss.report import OURS, STOCK, all_tables
from bench.rss.targets import judge
from bench.rss.workloads import WORKLOADS, write_json_file
from bench.shared import command, machine, peers, tables
from bench.shared.command import words
from bench.shared.results import Results, compare_digests
from bench.shared.runner import Sample, measure

PYTHON_PATH = Path(__file__).resolve().parents[2]
IDLE_SECONDS = 2.0


def measure_all(chosen: list[peers.Peer], workloads: list[str], arguments: argparse.Namespace) -> list[Sample]:
    inputs = arguments.out / "inputs"
    write_json_file(inputs, arguments.scale)
    samples = []
    for run in range(arguments.runs):
        for number, workload in enumerate(workloads):
            print(f"run {run + 1} of {arguments.runs}: {workload}", file=sys.stderr, flush=True)
            program = ("-m", "bench.rss.child", workload, str(arguments.scale), str(inputs))
            for peer in peers.in_turn(chosen, run + number):
                samples.append(measure(workload, peer, program, PYTHON_PATH, IDLE_SECONDS))
    compare_digests(samples, STOCK)
    order = {peer.name: position for position, peer in enumerate(chosen)}
    return sorted(samples, key=lambda sample: (workloads.index(sample.workload), order[sample.peer]))


def main() -> int:
    arguments = command.parse(command.workload_parser("bench.rss", __doc__, STOCK, WORKLOADS))
    workloads = words(arguments.workloads) or list(WORKLOADS)
    command.check_names("workload", workloads, WORKLOADS)
    known = peers.python_peers(arguments.mimalloc)
    notes = machine.describe(known, sys.orig_argv)
    chosen = peers.choose(known, words(arguments.peers))
    samples = measure_all(chosen, workloads, arguments)

    results = Results(samples, STOCK, OURS)
    verdicts = judge(results) if OURS in results.peers else []
    output = tables.console()
    output.print(machine.heading(notes), markup=False)
    output.print(f"{arguments.runs} runs in turn, medians; workloads at scale {arguments.scale:g}\n", markup=False)
    output.print(all_tables(results))
    document = notes | {
        "runs": arguments.runs,
        "scale": arguments.scale,
        "samples": [sample.as_json() for sample in samples],
    }
    command.finish(output, arguments.out / "rss.json", document, verdicts)
    return 1 if results.failures() else 0


if __name__ == "__main__":
    sys.exit(main())
