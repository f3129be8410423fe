"""Records a Python program and replays its requests on the C core: time, instructions, OS pages against the ideal.

make bench-trace PROGRAM="script.py arguments"      or: PYTHONPATH=tests python -m bench.trace script.py arguments
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from hakmem.shown import shown_on

from bench.rss.workloads import WORKLOADS
from bench.shared import command, machine, tables
from bench.shared.figures import ratio
from bench.shared.tables import number, table
from bench.trace.programs import PROGRAMS, absent
from bench.trace.replaying import check_program, count_instructions, record, replay, workload_program

TIMES = 5


def parse_arguments() -> argparse.Namespace:
    parser = command.Parser("bench.trace", __doc__)
    out = "the folder of program.trace and trace.json (%(default)s)"
    parser.add_argument("--out", type=command.folder, default=Path("build/bench"), help=out)
    parser.add_argument("--native", type=Path, default=Path("build/bench/native"), help="the folder of replay")
    parser.add_argument("--replay", type=Path, metavar="TRACE", help="replay this trace, record nothing")
    names = list(dict.fromkeys([*WORKLOADS, *PROGRAMS]))
    workload = f"without PROGRAM, one of: {', '.join(names)}".replace("%", "%%") + " (%(default)s)"
    parser.add_argument("--workload", default="json 1 %", help=workload)
    parser.add_argument("--scale", type=command.positive, default=0.25, help="size of the workload (%(default)s)")
    parser.add_argument("-m", nargs=argparse.REMAINDER, dest="module", help="MODULE and arguments")
    parser.add_argument("program", nargs=argparse.REMAINDER, help="SCRIPT and arguments")
    arguments = parser.parse_args()
    if arguments.module is not None:
        arguments.program = ["-m", *arguments.module]
    command.check_names("workload", [arguments.workload], names)
    if arguments.replay:
        if not arguments.replay.is_file():
            command.refuse(f"there is no trace {str(arguments.replay)!r}")
    elif arguments.program:
        check_program(arguments.program)
    elif arguments.workload == "tests" and (why := absent()):
        command.refuse(f"workload 'tests' cannot be recorded: {why}")
    return arguments


def fastest(runs: list[list[dict[str, Any]]]) -> list[dict[str, Any]]:
    return [min(rows, key=lambda row: float(row["ns_per_event"])) for rows in zip(*runs, strict=True)]


def main() -> int:
    arguments = parse_arguments()
    arguments.out.mkdir(parents=True, exist_ok=True)
    notes = machine.describe([], sys.orig_argv)
    program = arguments.program or workload_program(arguments.out, arguments.workload, arguments.scale)
    trace = arguments.replay or record(arguments.out, arguments.out / "program.trace", program)
    times = fastest([replay(arguments.native, "time", trace) for _ in range(TIMES)])
    pages = replay(arguments.native, "pages", trace)
    instructions = count_instructions(arguments.native, trace)

    output = tables.console()
    output.print(machine.heading(notes), markup=False)
    output.print(
        f"{shown_on(sys.stdout, str(trace))}: {trace.stat().st_size / 1e6:.1f} MB, {times[-1]['events']} events\n",
        markup=False,
    )
    rows = [[row["phase"], str(row["events"]), number(row["ns_per_event"], 2)] for row in times]
    output.print(table(f"cpu time, fastest of {TIMES} replays", ["", "events", "ns per event"], rows), "")
    if instructions is not None:
        output.print(f"instructions per event: {instructions / times[-1]['events']:.2f}\n", markup=False)
    kinds = ["ideal", "classes", "pinned", "resident"]
    columns = [f"{kind}_{when}" for when in ("peak", "end") for kind in kinds]
    rows = [
        [
            row["phase"],
            *(str(row[column]) for column in columns),
            number(ratio(row["pinned_peak"], row["ideal_peak"]), 2),
            number(ratio(row["pinned_end"], row["ideal_end"]), 2),
        ]
        for row in pages
    ]
    names = [column.replace("_", ", ") for column in columns]
    title = "OS pages: live bytes packed ideally; so, but by size class; with a live or cached block; resident"
    output.print(table(title, ["", *names, "pinned / ideal, peak", "end"], rows))
    file = arguments.out / "trace.json"
    document = notes | {"trace": str(trace), "times": times, "pages": pages, "instructions": instructions}
    file.write_text(json.dumps(document, indent=1) + "\n")
    output.print(f"\nall figures: {shown_on(sys.stdout, str(file))}", markup=False)
    return 0


if __name__ == "__main__":
    sys.exit(main())
