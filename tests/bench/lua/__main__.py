"""Time and resident memory of Lua programs: stock, hakmem, and the peers preloaded under stock.

make bench-lua                (LUA=lua5.4 RUNS=3 SHORT=1 BENCH_ARGS="--workloads tables --peers jemalloc")
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from bench.lua import report, runner
from bench.shared import command, machine, peers, tables
from bench.shared.command import words


def parse_arguments() -> argparse.Namespace:
    parser = command.workload_parser("bench.lua", __doc__, report.STOCK, runner.WORKLOADS)
    parser.add_argument("--lua", required=True, help="the interpreter")
    parser.add_argument("--module", type=Path, required=True, help="the folder of hakmem.so")
    parser.add_argument("--host", type=Path, help="the C host; without it the cost of accounts is left out")
    arguments = command.parse(parser)
    arguments.module = arguments.module.resolve()
    return arguments


def measure_all(chosen: list[peers.Peer], workloads: list[str], arguments: argparse.Namespace) -> list[runner.Sample]:
    samples = []
    for run in range(arguments.runs):
        for number, workload in enumerate(workloads):
            print(f"run {run + 1} of {arguments.runs}: {workload}", file=sys.stderr, flush=True)
            for per_thousand in runner.SURVIVORS_PER_THOUSAND:
                for peer in peers.in_turn(chosen, run + number):
                    place = (arguments.lua, arguments.module)
                    samples.append(runner.measure(*place, workload, per_thousand, peer, arguments.scale))
    compare_results(samples)
    order = {peer.name: position for position, peer in enumerate(chosen)}
    return sorted(samples, key=lambda s: (workloads.index(s.workload), s.per_thousand, order[s.peer]))


def compare_results(samples: list[runner.Sample]) -> None:
    """Survivors that differ from stock's are a failure."""
    stock = {(s.workload, s.per_thousand): s.result for s in samples if s.peer == report.STOCK and not s.failure}
    for sample in samples:
        expected = stock.get((sample.workload, sample.per_thousand), sample.result)
        if not sample.failure and sample.result != expected:
            sample.failure = f"survivors differ from stock's: {sample.result}"


def main() -> int:
    arguments = parse_arguments()
    workloads = words(arguments.workloads) or list(runner.WORKLOADS)
    command.check_names("workload", workloads, runner.WORKLOADS)
    known = runner.lua_peers(arguments.lua, arguments.module, arguments.mimalloc)
    notes = machine.describe(known, sys.orig_argv)
    chosen = peers.choose(known, words(arguments.peers), report.STOCK)
    samples = measure_all(chosen, workloads, arguments)
    accounts = []
    if arguments.host is not None:
        print("the account of a state", file=sys.stderr, flush=True)
        kinds = ["plain", "account", "private"]
        accounts = runner.measure_accounts(arguments.host, kinds, 3 * arguments.runs, arguments.scale)

    results = report.Results(samples)
    verdicts = report.judge(results, accounts) if report.OURS in results.peers else []
    output = tables.console()
    output.print(machine.heading(notes), markup=False)
    output.print(f"{arguments.runs} runs in turn; workloads at scale {arguments.scale:g}\n", markup=False)
    output.print(report.all_tables(results, accounts))
    document = notes | {
        "runs": arguments.runs,
        "scale": arguments.scale,
        "samples": [sample.as_json() for sample in samples],
        "accounts": [account.as_json() for account in accounts],
    }
    command.finish(output, arguments.out / "lua.json", document, verdicts)
    return 1 if any(sample.failure for sample in samples) else 0


if __name__ == "__main__":
    sys.exit(main())
