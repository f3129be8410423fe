"""Runs the cases of `make bench-speed`: hot loops, programs, threads, each sample in a process of its own."""

from __future__ import annotations

import json
import os
import re
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from bench.shared import extension
from bench.shared.peers import Peer, clean_environment, command_for, environment_for
from bench.speed.programs import PROGRAMS
from bench.speed.sample import RunFailed, Sample, measured, run, run_json

PYTHON_PATH = Path(__file__).resolve().parents[2]
LOOP_BATCHES = 7
LOOP_PAIRS = 1_000_000
INSTRUCTION_PAIRS = 100_000
THREAD_PROFILES = ("private", "larson", "cross")
THREAD_COUNTS = (1, 2, 4, 64)


def pattern_names(folder: Path) -> list[str]:
    """Asked of a process of its own: the extension stays out of the benchmark's."""
    code = f"from bench.shared import extension; import pathlib; print(*extension.load(pathlib.Path({str(folder)!r}))"
    command = [sys.executable, "-c", f"{code}.patterns(), sep='\\n')"]
    output, _ = run(command, clean_environment() | {"PYTHONPATH": str(PYTHON_PATH)})
    return output.splitlines()


def loop(index: int, name: str, folder: Path, peer: Peer) -> Sample:
    """The median batch: the first ones are slower while the heap grows."""

    def measure(sample: Sample) -> None:
        program = ["-m", "bench.speed.loops_child", str(folder), str(LOOP_BATCHES), str(LOOP_PAIRS), str(index)]
        said = run_json(command_for(peer, program), environment_for(peer, PYTHON_PATH))
        sample.value = sorted(said[name]["ns"])[LOOP_BATCHES // 2]

    return measured(Sample("loops", name, peer.name), measure)


def program(name: str, peer: Peer) -> Sample:
    def measure(sample: Sample) -> None:
        said = run_json(command_for(peer, ["-m", "bench.speed.programs", name]), environment_for(peer, PYTHON_PATH))
        sample.value = said["cpu_seconds"]
        sample.figures = {"number": said["number"]}

    assert name in PROGRAMS
    return measured(Sample("programs", name, peer.name), measure)


def is_for_c(peer: Peer) -> bool:
    """Peers that only Python has say nothing of programs in C; stock Python stands for glibc there."""
    return peer.name in ("pymalloc", "hakmem") or "LD_PRELOAD" in peer.environment


def name_in_c(peer: Peer) -> str:
    return "glibc" if peer.name == "pymalloc" else peer.name


def executable_for(peer: Peer, native: Path, program: str) -> str:
    return str(native / (program if peer.name == "hakmem" else f"{program}-libc"))


def threads(profile: str, count: int, seconds: float, native: Path, peer: Peer) -> Sample:
    """The C core, and for the peers malloc with the peer preloaded."""

    def measure(sample: Sample) -> None:
        command = [executable_for(peer, native, "threads"), profile, str(count), str(seconds)]
        said = run_json(command, clean_environment() | peer.environment)
        sample.value = said["cpu_seconds"] / said["operations"] * 1e9
        sample.figures["wall_rate"] = said["operations"] / said["wall_seconds"] / 1e6
        sample.figures["processors"] = said["cpu_seconds"] / said["wall_seconds"]

    return measured(Sample("threads", f"{profile}, {count}", name_in_c(peer)), measure)


def instructions(peer: Peer, names: Sequence[str], folder: Path) -> list[Sample]:
    """Per pair, by callgrind, all patterns in one process: a count, so one process is enough."""
    samples = [Sample("instructions", name, peer.name) for name in names]
    with tempfile.TemporaryDirectory() as scratch:
        patterns = pattern_names(folder)
        indices = [str(patterns.index(name)) for name in names]
        program = ["-m", "bench.speed.loops_child", str(folder), "1", str(INSTRUCTION_PAIRS), *indices]
        command = ["valgrind", "--tool=callgrind", "--callgrind-out-file=counts", *command_for(peer, program)]
        environment = environment_for(peer, PYTHON_PATH)
        try:
            output, _ = run(command, environment, Path(scratch))
            counts = _counts_by_trigger(Path(scratch))
            said = json.loads(output)
            for sample in samples:
                sample.value = counts[sample.case] / said[sample.case]["pairs"]
        except (RunFailed, ValueError, KeyError) as failure:
            for sample in samples:
                sample.failure = str(failure) or repr(failure)
    return samples


def _counts_by_trigger(folder: Path) -> dict[str, int]:
    """From callgrind's dumps: name of the client request -> instructions."""
    counts = {}
    for path in folder.glob("counts.*"):
        text = path.read_text(errors="replace")
        trigger = re.search(r"^desc: Trigger: Client Request: (.*)$", text, re.MULTILINE)
        total = re.search(r"^(?:summary|totals): (\d+)", text, re.MULTILINE)
        if trigger and total:
            counts[trigger[1]] = int(total[1])
    return counts


def compare_checks(samples: Sequence[Sample]) -> None:
    """A program that computed something else than under stock has failed."""
    computed = [sample for sample in samples if sample.part == "programs" and not sample.failure]
    stock = {sample.case: sample.figures["number"] for sample in computed if sample.peer == "pymalloc"}
    for sample in computed:
        number = sample.figures["number"]
        if number != stock.get(sample.case, number):
            sample.failure = f"computed {number}, pymalloc {stock[sample.case]}"


def has_valgrind() -> bool:
    return any(os.access(Path(folder) / "valgrind", os.X_OK) for folder in os.get_exec_path())


def prepare_extension(out: Path) -> Path:
    """The folder of the extension that is built for this interpreter."""
    folder = (out / "extension").resolve()
    extension.build(folder)
    return folder
