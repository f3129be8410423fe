"""Records a Python program and replays its requests on the C core: time, instructions, OS pages against the ideal.

make bench-trace PROGRAM="script.py arguments"      or: PYTHONPATH=tests python -m bench.trace script.py arguments
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

from bench.rss.workloads import WORKLOADS, write_json_file
from bench.shared import extension, machine, tables
from bench.shared.figures import ratio
from bench.shared.peers import clean_environment, hakmem_options
from bench.shared.tables import number, table
from bench.speed.cases import has_valgrind

PYTHON_PATH = Path(__file__).resolve().parents[2]
TIMES = 5


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench.trace", description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--out", type=Path, default=Path("build/bench"), help="where trace and JSON go")
    parser.add_argument("--native", type=Path, default=Path("build/bench/native"), help="holds replay")
    parser.add_argument("--replay", type=Path, metavar="TRACE", help="replay this trace, record nothing")
    parser.add_argument("--workload", default="json 1 %", help=f"without PROGRAM, one of: {', '.join(WORKLOADS)}")
    parser.add_argument("--scale", type=float, default=0.25, help="size of the workload")
    parser.add_argument("program", nargs=argparse.REMAINDER, help="SCRIPT or -m MODULE, and arguments")
    return parser.parse_args()


def record(arguments: argparse.Namespace) -> Path:
    folder = (arguments.out / "extension").resolve()
    extension.build(folder)
    program = arguments.program
    if not program:
        inputs = arguments.out / "inputs"
        write_json_file(inputs, arguments.scale)
        program = ["-m", "bench.trace.workload", str(inputs), str(arguments.scale), arguments.workload]
    trace: Path = arguments.out / "program.trace"
    command = [sys.executable, "-m", "bench.trace.record", str(folder), str(trace), *program]
    print(f"recording {shlex.join(program)}", file=sys.stderr, flush=True)
    subprocess.run(command, env=clean_environment() | {"PYTHONPATH": str(PYTHON_PATH)}, check=True)
    return trace


def replay(arguments: argparse.Namespace, mode: str, trace: Path) -> list[dict[str, Any]]:
    environment = clean_environment() | hakmem_options()
    output = subprocess.run(
        [arguments.native / "replay", mode, trace], env=environment, check=True, capture_output=True, text=True
    ).stdout
    return [json.loads(line) for line in output.splitlines()]


def count_instructions(arguments: argparse.Namespace, trace: Path) -> int | None:
    """Of the replay alone, without the reading of the trace; None without valgrind."""
    if not has_valgrind():
        return None
    tool = ["valgrind", "--tool=callgrind", f"--callgrind-out-file={os.devnull}", "--toggle-collect=replay_events"]
    errors = subprocess.run(
        [*tool, arguments.native / "replay", "time", trace],
        env=clean_environment() | hakmem_options(),
        check=True,
        capture_output=True,
        text=True,
    ).stderr
    found = re.search(r"Collected : (\d+)", errors)
    return int(found[1]) if found else None


def fastest(runs: list[list[dict[str, Any]]]) -> list[dict[str, Any]]:
    return [min(rows, key=lambda row: float(row["ns_per_event"])) for rows in zip(*runs, strict=True)]


def main() -> int:
    arguments = parse_arguments()
    arguments.out.mkdir(parents=True, exist_ok=True)
    notes = machine.describe([], sys.orig_argv)
    trace = arguments.replay or record(arguments)
    times = fastest([replay(arguments, "time", trace) for _ in range(TIMES)])
    pages = replay(arguments, "pages", trace)
    instructions = count_instructions(arguments, trace)

    output = tables.console()
    output.print(machine.heading(notes), markup=False)
    output.print(f"{trace}: {trace.stat().st_size / 1e6:.1f} MB, {times[-1]['events']} events\n", markup=False)
    rows = [[row["phase"], str(row["events"]), number(row["ns_per_event"], 2)] for row in times]
    output.print(table(f"cpu time, fastest of {TIMES} replays", ["", "events", "ns per event"], rows), "")
    if instructions is not None:
        output.print(f"instructions per event: {instructions / times[-1]['events']:.2f}\n", markup=False)
    columns = ["ideal_peak", "held_peak", "resident_peak", "ideal_end", "held_end", "resident_end"]
    rows = [
        [
            row["phase"],
            *(str(row[column]) for column in columns),
            number(ratio(row["held_peak"], row["ideal_peak"]), 2),
            number(ratio(row["held_end"], row["ideal_end"]), 2),
        ]
        for row in pages
    ]
    names = [column.replace("_", ", ") for column in columns]
    title = "OS pages: all live bytes packed ideally, pages that hold a live block, resident pages"
    output.print(table(title, ["", *names, "held / ideal, peak", "end"], rows))
    file = arguments.out / "trace.json"
    document = notes | {"trace": str(trace), "times": times, "pages": pages, "instructions": instructions}
    file.write_text(json.dumps(document, indent=1) + "\n")
    output.print(f"\nall figures: {file}", markup=False)
    return 0


if __name__ == "__main__":
    sys.exit(main())
