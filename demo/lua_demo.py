"""Runs the Lua job under stock Lua and under hakmem and shows both curves of resident memory; then the example host.

    make demo            or: python demo/lua_demo.py --lua lua5.4 --module FOLDER [--host PROGRAM]

FOLDER holds hakmem.so. Each run is a fresh process, sampled from outside every 20 ms. Exit code 1 when a run fails, or
when the two runs' results differ.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path

import chart
from sample import Run, run_sampled

MEBIBYTE = 1024 * 1024
PHASES = [("b", "build"), ("d", "drop"), ("i", "idle")]
LEGEND = "b build 250,000 records   d drop all but one in 1000, collect   i idle"
JOB = Path(__file__).resolve().parent / "lua_job.lua"
RUNAWAY = """
local hakmem = require "hakmem"
hakmem.limit(0, 16 * 2^20)
print(pcall(function() local held = {} for number = 1, 1e9 do held[number] = {number} end end))
print("the next script in the same state: " .. #("x"):rep(1000) .. " characters, and all is well")
"""


def run_job(name: str, flags: list[str], arguments: argparse.Namespace) -> Run:
    marks = arguments.out / f"{name}.marks"
    command = [arguments.lua, *flags, str(JOB), str(marks), str(arguments.scale), str(arguments.idle_seconds)]
    run = run_sampled(command, marks, environment(arguments))
    (arguments.out / f"{name}.json").write_text(json.dumps(run.as_json(), indent=1) + "\n")
    if run.exit_code != 0:
        sys.exit(f"error: {' '.join(command)} ended with {run.exit_code}\n{run.errors}")
    return run


def environment(arguments: argparse.Namespace) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("LUA", "HAKMEM"))}
    return kept | {"LUA_CPATH": f"{arguments.module.resolve()}/?.so;;"}


def report(stock: Run, hakmem: Run, idle_seconds: float, plain_ascii: bool) -> str:
    panels = []
    for title, run in (("stock Lua: resident memory", stock), ("hakmem: resident memory", hakmem)):
        panels.append((title, run.samples, [(letter, run.marks[phase]) for letter, phase in PHASES]))
    rows = []
    for name, run in (("stock Lua", stock), ("hakmem", hakmem)):
        sizes = [run.bytes_before("build"), run.peak_bytes(), run.bytes_after("idle"), run.bytes_before("end")]
        rows.append([name, *(f"{size / MEBIBYTE:.1f}" for size in sizes), f"{run.cpu_seconds:.2f}"])
    header = ["MiB resident", "start", "peak", "after the drop", f"idle {idle_seconds:g} s", "cpu s"]
    curves = chart.side_by_side(panels, unit=MEBIBYTE, unit_name="MiB", plain_ascii=plain_ascii)
    return "\n".join([curves, f"        {LEGEND}", "", chart.table(header, rows)])


def run_and_show(title: str, command: list[str], arguments: argparse.Namespace, text: str = "") -> None:
    result = subprocess.run(command, input=text, capture_output=True, text=True, env=environment(arguments))
    if result.returncode != 0:
        sys.exit(f"error: {' '.join(command)} ended with {result.returncode}\n{result.stderr}")
    print(f"\n{title}\n\n{result.stdout.rstrip()}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--lua", default="lua5.4", help="the interpreter")
    parser.add_argument("--module", type=Path, required=True, help="the folder of hakmem.so")
    parser.add_argument("--host", type=Path, help="the example host, if it could be built")
    parser.add_argument("--out", type=Path, default=Path("build/demo/lua"), help="where the samples go (JSON)")
    parser.add_argument("--scale", type=float, default=1.0, help="size of the job, 1.0 is the demo")
    parser.add_argument("--idle-seconds", type=float, default=2.0)
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)

    stock = run_job("stock", [], arguments)
    hakmem = run_job("hakmem", ["-l", "hakmem"], arguments)
    print(report(stock, hakmem, arguments.idle_seconds, "utf" not in (sys.stdout.encoding or "").lower()))
    if stock.output != hakmem.output:
        print(f"error: the results differ:\n  {stock.output}  {hakmem.output}", file=sys.stderr)
        return 1
    print(f"\n{stock.output.strip()}; the same in both runs.")
    run_and_show("A runaway script under a limit of 16 MiB:", [arguments.lua, "-"], arguments, RUNAWAY)
    if arguments.host is not None:
        run_and_show("A host in C, bindings/lua/example/host.c:", [str(arguments.host)], arguments)
    return 0


if __name__ == "__main__":
    sys.exit(main())
