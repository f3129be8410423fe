"""Runs the cases of `make bench-speed`: hot loops, programs, threads, each sample in a process of its own."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from bench.shared import extension
from bench.shared.peers import Peer, clean_environment, command_for, environment_for
from bench.speed.programs import PROGRAMS

TIMEOUT_SECONDS = 300
PYTHON_PATH = Path(__file__).resolve().parents[2]
LOOP_BATCHES = 7
LOOP_PAIRS = 1_000_000
INSTRUCTION_PAIRS = 100_000
THREAD_PROFILES = ("private", "larson", "cross")
THREAD_COUNTS = (1, 2, 4)


@dataclass
class Sample:
    """One figure of one process; `failure` says why there is none."""

    part: str  # loops, programs, threads, instructions
    case: str
    peer: str
    value: float = 0.0  # loops: ns per pair; programs: cpu seconds; threads: cpu ns per pair; instructions: per pair
    wall_rate: float = 0.0  # threads: million pairs per second
    processors: float = 0.0  # threads: how many the process had on average
    check: float = 0.0  # programs: what they computed
    failure: str = ""

    def as_json(self) -> dict[str, object]:
        return asdict(self)


class RunFailed(Exception):
    """A process that ended badly, hung, or printed something else."""


def run(command: Sequence[str], environment: dict[str, str], folder: Path | None = None) -> tuple[str, str]:
    """Standard output and standard error."""
    try:
        result = subprocess.run(
            command, env=environment, cwd=folder, capture_output=True, text=True, timeout=TIMEOUT_SECONDS
        )
    except subprocess.TimeoutExpired:
        raise RunFailed("took too long") from None
    if result.returncode != 0:
        raise RunFailed(f"exit code {result.returncode}: {result.stderr.strip()[-500:]}")
    return result.stdout, result.stderr


def run_json(command: Sequence[str], environment: dict[str, str]) -> Any:
    output, _ = run(command, environment)
    return json.loads(output)


def measured(sample: Sample, measure: Callable[[Sample], None]) -> Sample:
    try:
        measure(sample)
    except (RunFailed, ValueError, KeyError) as failure:
        sample.failure = str(failure) or repr(failure)
    return sample


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
        sample.value, sample.check = said["cpu_seconds"], said["number"]

    assert name in PROGRAMS
    return measured(Sample("programs", name, peer.name), measure)


def is_for_threads(peer: Peer) -> bool:
    """Peers that only Python has say nothing of threads in C; stock Python stands for glibc there."""
    return peer.name in ("pymalloc", "hakmem") or "LD_PRELOAD" in peer.environment


def threads(profile: str, count: int, seconds: float, native: Path, peer: Peer) -> Sample:
    """The C core, and for the peers malloc with the peer preloaded."""

    def measure(sample: Sample) -> None:
        executable = native / ("threads" if peer.name == "hakmem" else "threads-libc")
        said = run_json([str(executable), profile, str(count), str(seconds)], clean_environment() | peer.environment)
        sample.value = said["cpu_seconds"] / said["operations"] * 1e9
        sample.wall_rate = said["operations"] / said["wall_seconds"] / 1e6
        sample.processors = said["cpu_seconds"] / said["wall_seconds"]

    name = "glibc" if peer.name == "pymalloc" else peer.name
    return measured(Sample("threads", f"{profile}, {count}", name), measure)


def instructions(peer: Peer, names: Sequence[str], folder: Path) -> list[Sample]:
    """Per pair, by callgrind, all patterns in one process: a count, so one process is enough."""
    samples = [Sample("instructions", name, peer.name) for name in names]
    with tempfile.TemporaryDirectory() as scratch:
        indices = [str(index) for index in range(len(names))]
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
    stock = {s.case: s.check for s in samples if s.part == "programs" and s.peer == "pymalloc" and not s.failure}
    for sample in samples:
        if sample.part == "programs" and not sample.failure and sample.check != stock.get(sample.case, sample.check):
            sample.failure = f"computed {sample.check}, pymalloc {stock[sample.case]}"


def has_valgrind() -> bool:
    return any(os.access(Path(folder) / "valgrind", os.X_OK) for folder in os.get_exec_path())


def prepare_extension(out: Path) -> Path:
    """The folder of the extension that is built for this interpreter."""
    folder = (out / "extension").resolve()
    extension.build(folder)
    return folder
