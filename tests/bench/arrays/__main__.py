"""Memory and time of NumPy's arrays: what goes back when they are dropped, and what that costs at each size.

make bench-arrays       (NUMPY=1.26.4 RUNS=3 SHORT=1 BENCH_ARGS="--workloads times --peers hakmem")
"""

from __future__ import annotations

import argparse
import importlib.util
import sys

from bench.arrays.report import OURS, STOCK, WORKER, all_tables, judge
from bench.shared import command, machine, peers, tables
from bench.shared.command import words
from bench.shared.results import Results

MEMORY, TIMES = "memory", "times"
PARTS = (MEMORY, WORKER, TIMES)
NEEDS = {"numpy": PARTS, "pandas": (WORKER,), "gunicorn": (WORKER,)}


def parse_arguments() -> argparse.Namespace:
    parser = command.workload_parser("bench.arrays", __doc__, STOCK, PARTS, "size of the stories and of the CSV file")
    return command.parse(parser)


def absent_parts() -> dict[str, str]:
    """Why a part cannot be measured here; empty where it can."""
    missing = [name for name in NEEDS if importlib.util.find_spec(name) is None]
    lacks = {part: [name for name in missing if part in NEEDS[name]] for part in PARTS}
    return {part: f"{', '.join(names)} cannot be imported (PyPI)" if names else "" for part, names in lacks.items()}


def main() -> int:
    arguments = parse_arguments()
    parts = command.choose_workloads(words(arguments.workloads), absent_parts())
    known = peers.array_peers(arguments.mimalloc)
    notes = machine.describe(known, sys.orig_argv)
    chosen = peers.choose(known, words(arguments.peers), STOCK)
    if not parts:
        return 1

    from bench.arrays import measuring  # it imports NumPy

    samples = measuring.measure_memory(chosen, MEMORY in parts, WORKER in parts, arguments)
    has_times = TIMES in parts and OURS in [peer.name for peer in chosen]
    all_times = measuring.measure_all_times(chosen, arguments.short) if has_times else []

    results = Results(samples, STOCK, OURS)
    verdicts = judge(results, all_times) if OURS in [peer.name for peer in chosen] else []
    versions = measuring.versions(WORKER in parts)
    output = tables.console()
    output.print(machine.heading(notes), markup=False)
    output.print(f"{', '.join(f'{name} {found}' for name, found in versions.items())}", markup=False)
    output.print(f"{arguments.runs} runs in turn, medians; stories at scale {arguments.scale:g}\n", markup=False)
    output.print(all_tables(results, all_times))
    document = notes | {
        "runs": arguments.runs,
        "scale": arguments.scale,
        "libraries": versions,
        "samples": [sample.as_json() for sample in samples],
        "times": [times.as_json() for times in all_times],
    }
    command.finish(output, arguments.out / "arrays.json", document, verdicts)
    return 1 if results.failures() or any(times.failure for times in all_times) else 0


if __name__ == "__main__":
    sys.exit(main())
