"""Measures the stories, the worker and the times of `make bench-arrays`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from functools import partial
from importlib.metadata import version
from pathlib import Path

from bench.arrays.operations import OPERATIONS, SIZES_BYTES
from bench.arrays.report import OURS, STOCK, WORKER
from bench.arrays.stories import STORIES
from bench.arrays.times import Times, measure_times
from bench.shared.child import Start
from bench.shared.peers import Peer, command_for, environment_for, in_turn
from bench.shared.results import compare_digests
from bench.shared.runner import Sample, measure, measure_start

PYTHON_PATH = Path(__file__).resolve().parents[2]
IDLE_SECONDS = 0.8
SHORT_SIZES = 12  # the smallest ones


def versions(with_worker: bool) -> dict[str, str]:
    names = ("numpy", "pandas", "gunicorn") if with_worker else ("numpy",)
    return {name: version(name) for name in names}


def measure_memory(
    chosen: list[Peer], with_stories: bool, with_worker: bool, arguments: argparse.Namespace
) -> list[Sample]:
    cases: dict[str, Callable[[Peer], Sample]] = {}
    if with_stories:
        cases = {name: partial(_measure_story, name, arguments.scale) for name in STORIES}
    if with_worker:
        cases[WORKER] = partial(_measure_worker, arguments.scale, (arguments.out / "inputs").resolve())
    samples = []
    for run in range(arguments.runs):
        for number, (name, measure_case) in enumerate(cases.items()):
            print(f"run {run + 1} of {arguments.runs}: {name}", file=sys.stderr, flush=True)
            samples += [measure_case(peer) for peer in in_turn(chosen, run + number)]
    compare_digests(samples, STOCK)
    names, order = list(cases), [peer.name for peer in chosen]
    return sorted(samples, key=lambda sample: (names.index(sample.workload), order.index(sample.peer)))


def _measure_story(name: str, scale: float, peer: Peer) -> Sample:
    return measure(name, peer, ("-m", "bench.arrays.story_child", name, str(scale)), PYTHON_PATH, IDLE_SECONDS)


def _measure_worker(scale: float, inputs: Path, peer: Peer) -> Sample:
    """The client runs in the peer's environment, too; it is not measured."""
    inputs.mkdir(parents=True, exist_ok=True)
    client = [sys.executable, "-m", "bench.arrays.csv_client", str(scale), str(inputs)]
    start = Start([*client, *command_for(peer, ())], environment_for(peer, PYTHON_PATH), peer.mapped_file)
    return measure_start(WORKER, peer.name, start, IDLE_SECONDS)


def measure_all_times(chosen: list[Peer], is_short: bool) -> list[Times]:
    sizes_bytes = SIZES_BYTES[:SHORT_SIZES] if is_short else SIZES_BYTES
    starts = {peer.name: _start_times(peer) for peer in chosen if peer.name in (STOCK, OURS)}
    found = []
    for operation in OPERATIONS:
        print(f"time by size: {operation}", file=sys.stderr, flush=True)
        found.append(measure_times(operation, sizes_bytes, {name: starts[name] for name in (STOCK, OURS)}))
    return found


def _start_times(peer: Peer) -> Start:
    command = command_for(peer, ("-m", "bench.arrays.times_child"))
    return Start(command, environment_for(peer, PYTHON_PATH), peer.mapped_file)
