"""`hakmem compare` as a whole: the runs in turn, what they sum to, and the result that all outputs are made from.

The result is one dictionary, which is also result.json:

    hakmem_compare   the format's number
    command, language, interpreter, directory, date, machine, options_of_hakmem, runs_wanted, was_interrupted
    allocators       name, version, missing (why, and what brings it)
    runs             allocator, turn, failure ("" where it counts), output_tail, samples, events, figures, ...
    summary          per allocator: runs_counted, runs_failed, failures, looks_min (of a run), medians, spread_percent,
                     ratios to `baseline`
    verdict          helps (true, false, null: cannot be said), text
"""

import datetime
import os
import platform
from collections.abc import Sequence
from dataclasses import astuple
from typing import Any, Protocol

import hakmem
from hakmem.measure import allocators as allocators_module
from hakmem.measure import figures
from hakmem.measure.allocators import BASELINES, Allocator
from hakmem.measure.interrupts import Interrupts
from hakmem.measure.measure_error import MeasureError
from hakmem.measure.programs import Program
from hakmem.measure.runs import Run, run_sampled
from hakmem.measure.sampler import Sample
from hakmem.measure.verdict import verdict_of

FORMAT = 1


class Progress(Protocol):
    """Whoever wants to see how far it is."""

    def begin(self, name: str, turn: int, turns: int) -> None:
        """A run begins."""

    def sampled(self, sample: Sample) -> None:
        """A look at its memory."""

    def ended(self, name: str, run: Run) -> None:
        """It is over."""


def compare(
    program: Program,
    allocators: Sequence[Allocator],
    *,
    turns: int,
    interval_seconds: float,
    timeout_seconds: float | None,
    progress: Progress,
    interrupts: Interrupts,
) -> dict[str, Any]:
    """Run the program under all allocators that are there, turn by turn, and return the result.

    An interrupt ends it early: the result then has what was measured so far.
    """
    present = [allocator for allocator in allocators if not allocator.missing]
    result = _header_of(program, allocators, turns)  # before the runs: what cannot be found out costs none of them
    runs: list[dict[str, Any]] = []
    for turn, allocator in _in_order(present, turns):
        if interrupts.have_come:
            break
        progress.begin(allocator.name, turn, turns)
        command = program.command(allocator)
        try:
            run = run_sampled(
                command,
                allocators_module.clean_environment() | allocator.environment,
                interval_seconds=interval_seconds,
                timeout_seconds=timeout_seconds,
                mapped_file=allocator.mapped_file,
                watch=progress.sampled,
                interrupts=interrupts,
            )
        except (MeasureError, OSError) as error:
            if not runs:
                raise MeasureError(str(error)) from None
            run = Run(command, failure=str(error))  # those before it are kept
        runs.append(_run_as_json(allocator.name, turn, run))
        progress.ended(allocator.name, run)
    baseline = BASELINES[program.language]
    summary = {allocator.name: _summary_of(allocator.name, runs) for allocator in present}
    for row in summary.values():
        row["ratios"] = {
            name: figures.ratio(row["medians"][name], summary[baseline]["medians"][name]) for name in figures.NAMES
        }
    result |= {
        "was_interrupted": interrupts.have_come,
        "baseline": baseline,
        "memory": "PSS" if any(run["processes_max"] > 1 for run in runs) else "RSS",
        "summary": summary,
    }
    result["verdict"] = verdict_of(result, runs)
    result["runs"] = runs
    return result


def _header_of(program: Program, allocators: Sequence[Allocator], turns: int) -> dict[str, Any]:
    return {
        "hakmem_compare": FORMAT,
        "hakmem": hakmem.__version__,
        "command": list(program.words),
        "language": program.language,
        "interpreter": program.interpreter,
        "directory": _working_directory(),
        "date": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
        "machine": describe_machine(),
        "options_of_hakmem": allocators_module.hakmem_options(),
        "runs_wanted": turns,
        "allocators": [allocator.as_json() for allocator in allocators],
    }


def _working_directory() -> str:
    try:
        return os.getcwd()
    except OSError:  # it was removed; a program may run there all the same
        return ""


def _in_order(present: Sequence[Allocator], turns: int) -> list[tuple[int, Allocator]]:
    return [(turn, allocator) for turn in range(turns) for allocator in allocators_module.in_turn(present, turn)]


def _run_as_json(name: str, turn: int, run: Run) -> dict[str, Any]:
    return {
        "allocator": name,
        "turn": turn,
        "command": run.command,
        "exit_code": run.exit_code,
        "failure": run.failure,
        "output_tail": run.output_tail if run.failure else "",
        "processes_max": run.processes_max,
        "unserved": run.unserved,
        "largest_gap_seconds": round(figures.largest_gap_seconds(run.samples), 4),
        "figures": None if run.failure else figures.figures_of(run),
        "events": run.events,
        "samples": [astuple(sample) for sample in run.samples],
    }


def _summary_of(name: str, runs: Sequence[dict[str, Any]]) -> dict[str, Any]:
    own = [run for run in runs if run["allocator"] == name]
    rows = [run["figures"] for run in own if not run["failure"]]
    failures = [run["failure"] for run in own if run["failure"] and run["failure"] != "interrupted"]
    # A program that fails once has failed: medians over the lucky runs would hide it.
    counted = [] if failures else rows
    return {
        "runs_counted": len(counted),
        "runs_failed": len(failures),
        "looks_min": min((len(run["samples"]) for run in own if run["figures"]), default=0),
        "failures": sorted(set(failures)),
        "medians": {figure: figures.median_of(counted, figure) for figure in figures.NAMES},
        "spread_percent": {figure: figures.spread_percent(counted, figure) for figure in figures.NAMES},
    }


def describe_machine() -> str:
    """Return one line about where it was measured."""
    huge_pages = "unknown"
    try:
        with open("/sys/kernel/mm/transparent_hugepage/enabled", encoding="ascii") as file:
            huge_pages = file.read().split("[")[1].split("]")[0]
    except (OSError, IndexError):
        pass
    load = ", ".join(f"{value:.1f}" for value in os.getloadavg())
    return (
        f"{platform.python_implementation()} {platform.python_version()}, Linux {platform.release()},"
        f" {os.cpu_count()} processors, load {load}, transparent huge pages: {huge_pages}"
    )
