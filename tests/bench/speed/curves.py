"""Part (e): the C core and its peers as heap and threads grow, and the longest calls, by programs in native/."""

from __future__ import annotations

import statistics
from pathlib import Path

import psutil

from bench.shared.peers import Peer, clean_environment
from bench.speed.cases import executable_for, name_in_c
from bench.speed.sample import RunFailed, Sample, measured, run_json

HEAP_MEBIBYTES = (1, 16, 128, 1024, 4096, 8192)
ALIVE = ((1, 1), (10, 1), (100, 1), (1000, 1), (2, 2), (10, 2), (100, 2), (1000, 2))  # threads alive, working
WORKING_SECONDS = 0.5
PAUSE_MEBIBYTES = 1024
PAUSE_CYCLES = 5
SHORT_HEAP_MEBIBYTES_MAX = 128
SHORT_ALIVE_MAX = 100
# Resident memory for each live byte that an allocator may need, addresses of the blocks included.
ROOM_FACTOR = 1.25


def heap_name(mebibytes: int) -> str:
    return f"{mebibytes} MiB" if mebibytes < 1024 else f"{mebibytes // 1024} GiB"


def alive_name(alive: int, working: int) -> str:
    return f"{working} of {alive} working"


def lack_of_room(mebibytes: int) -> str:
    """Why a heap of that size must not be made here now: at most half of the memory that is available is used."""
    needed = mebibytes * ROOM_FACTOR / 1024
    half = psutil.virtual_memory().available / 2 / 2**30
    return "" if needed <= half else f"needs {needed:.1f} GiB, half of the available memory is {half:.1f} GiB"


def heap(mebibytes: int, native: Path, peer: Peer) -> Sample:
    """The median batch."""

    def measure(sample: Sample) -> None:
        lack = lack_of_room(mebibytes)
        if lack:
            raise RunFailed(lack)
        command = [executable_for(peer, native, "heap_curve"), str(mebibytes)]
        said = run_json(command, clean_environment() | peer.environment)
        sample.value = statistics.median(said.pop("ns_per_pair"))
        sample.figures = said

    return measured(Sample("heap curve", heap_name(mebibytes), name_in_c(peer)), measure)


def alive(count: int, working: int, native: Path, peer: Peer) -> Sample:
    def measure(sample: Sample) -> None:
        command = [executable_for(peer, native, "thread_curve"), str(count), str(working), str(WORKING_SECONDS)]
        said = run_json(command, clean_environment() | peer.environment)
        sample.value = said["cpu_seconds"] / said["operations"] * 1e9
        sample.figures["processors"] = said["cpu_seconds"] / said["wall_seconds"]
        if count > working:
            sample.figures["resident_bytes_per_idle_thread"] = said["resident_bytes_per_idle_thread"]

    return measured(Sample("thread curve", alive_name(count, working), name_in_c(peer)), measure)


def pauses(native: Path, peer: Peer) -> Sample:
    def measure(sample: Sample) -> None:
        command = [executable_for(peer, native, "pauses"), str(PAUSE_MEBIBYTES), str(PAUSE_CYCLES)]
        _note_pauses(sample, run_json(command, clean_environment() | peer.environment))

    return measured(Sample("pauses", "grow and drop", name_in_c(peer)), measure)


def pauses_of_the_machine(native: Path) -> Sample:
    """The same loops without an allocator."""

    def measure(sample: Sample) -> None:
        command = [str(native / "pauses-none"), str(PAUSE_MEBIBYTES), str(PAUSE_CYCLES)]
        _note_pauses(sample, run_json(command, clean_environment()))

    return measured(Sample("pauses", "grow and drop", "no allocator"), measure)


def _note_pauses(sample: Sample, said: dict[str, dict[str, float]]) -> None:
    sample.value = max(kind["longest"] for kind in said.values())
    sample.figures = {f"{kind} {name}": value for kind, figures in said.items() for name, value in figures.items()}
