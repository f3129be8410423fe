"""Runs the job under stock Python and under hakmem and shows both curves of resident memory.

    make demo            or: python demo/demo.py --out build/demo

Each run is a fresh process, sampled from outside every 20 ms. All figures are absolute: the whole process, as the
kernel counts it. The samples are written as JSON to the output directory. Exit code 1 when a run fails, or when the
two runs' results differ.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
from pathlib import Path

import chart
from sample import Run, run_sampled

MEBIBYTE = 1024 * 1024
PHASES = [("p", "parse"), ("j", "load"), ("d", "drop"), ("i", "idle")]
LEGEND = "p parse the library   j load JSON   d drop all but survivors   i idle"
JOB = Path(__file__).resolve().parent / "job.py"


def huge_page_setting() -> str:
    try:
        text = Path("/sys/kernel/mm/transparent_hugepage/enabled").read_text()
        return text.split("[")[1].split("]")[0]
    except (OSError, IndexError):
        return "unknown"


def describe_machine() -> str:
    return (
        f"{platform.python_implementation()} {platform.python_version()}, Linux {platform.release()},"
        f" {os.cpu_count()} processors,\ntransparent huge pages: {huge_page_setting()}."
    )


def run_job(name: str, launcher: list[str], arguments: argparse.Namespace) -> Run:
    marks_file = arguments.out / f"{name}.marks"
    options = [f"--marks={marks_file}", f"--scale={arguments.scale}", f"--idle-seconds={arguments.idle_seconds}"]
    # Both runs see the same environment, and neither sees settings that were meant for another process.
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("HAKMEM", "PYTHON"))}
    environment["PYTHONHASHSEED"] = "0"
    print(f"Running the job under {name} ...", file=sys.stderr, flush=True)
    run = run_sampled([sys.executable, *launcher, str(JOB), *options], marks_file, environment)
    (arguments.out / f"{name}.json").write_text(json.dumps(run.as_json(), indent=1) + "\n")
    if run.exit_code != 0:
        sys.exit(f"error: the job under {name} ended with {run.exit_code}:\n{run.errors}")
    return run


def row(name: str, run: Run) -> list[float]:
    figures = [run.bytes_before("parse"), run.peak_bytes(), run.bytes_after("idle"), run.bytes_before("end")]
    return [*(figure / MEBIBYTE for figure in figures), run.cpu_seconds]


def report(stock: Run, hakmem: Run, idle_seconds: float, plain_ascii: bool) -> str:
    panels = []
    for title, run in (("stock Python", stock), ("hakmem", hakmem)):
        marks = [(letter, run.marks[phase]) for letter, phase in PHASES]
        panels.append((f"{title}: resident memory", run.samples, marks))
    stock_row, hakmem_row = row("stock", stock), row("hakmem", hakmem)
    ratios = [ours / theirs for ours, theirs in zip(hakmem_row, stock_row, strict=True)]
    result = json.loads(stock.output)
    return "\n".join(
        [
            chart.side_by_side(panels, unit=MEBIBYTE, unit_name="MiB", plain_ascii=plain_ascii),
            f"{'':>8}{LEGEND}",
            "",
            chart.table(
                ["MiB resident", "start", "peak", "after the drop", f"idle {idle_seconds:g} s", "cpu s"],
                [
                    ["stock Python", *(f"{figure:.1f}" for figure in stock_row)],
                    ["hakmem", *(f"{figure:.1f}" for figure in hakmem_row)],
                    ["hakmem / stock", *(f"{ratio:.2f}" for ratio in ratios)],
                ],
            ),
            "",
            f"Survivors: {result['functions_kept']} of {result['functions']} functions,"
            f" {result['records_kept']} of {result['records']} records; the same in both runs.",
            describe_machine(),
        ]
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--out", type=Path, default=Path("build/demo"), help="where the samples go (JSON)")
    parser.add_argument("--scale", type=float, default=1.0, help="size of the job, 1.0 is the demo")
    parser.add_argument("--idle-seconds", type=float, default=2.0)
    parser.add_argument("--ascii", action="store_true", help="draw with # instead of block characters")
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)

    stock = run_job("stock", [], arguments)
    hakmem = run_job("hakmem", ["-m", "hakmem", "run", "--require"], arguments)
    plain_ascii = arguments.ascii or "utf" not in (sys.stdout.encoding or "").lower()
    print(report(stock, hakmem, arguments.idle_seconds, plain_ascii))
    if json.loads(stock.output) != json.loads(hakmem.output):
        print(f"error: the results differ:\n  {stock.output}  {hakmem.output}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
