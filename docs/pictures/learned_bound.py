"""Draws the burst bound that is learned, over time, in three processes: one that builds and drops over and over, one
that does it every other second, and one that changes its load.

    python docs/pictures/learned_bound.py [--out FILE]

The interpreter is one of an environment with hakmem and matplotlib (pip install 'hakmem[measure]').
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import hakmem
from matplotlib.figure import Figure

MEBIBYTE = 1024 * 1024
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
BLOCK_BYTES = 1200
SAMPLE_MS = 5
REST_SECONDS = 2.0  # after the program
SIZE_INCHES = (9.0, 8.4)
DOTS_PER_INCH = 120
LIVE, RESIDENT, BOUND = "#8c959f", "#222222", "#0969da"


class Sample(NamedTuple):
    seconds: float
    live_bytes: int
    resident_bytes: int  # as the kernel counts them, since the start
    bound_bytes: int


# ---- Programs ----


def build_and_drop(mebibytes: int) -> None:
    blocks = [bytes(BLOCK_BYTES) for _ in range(mebibytes * MEBIBYTE // BLOCK_BYTES)]
    del blocks


def build_and_drop_for(seconds: float, mebibytes: int) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        build_and_drop(mebibytes)


def churn() -> None:
    build_and_drop_for(3, 60)


def burst() -> None:
    for _ in range(3):
        build_and_drop(60)
        time.sleep(1)


def change() -> None:
    for mebibytes in (60, 8, 100):
        build_and_drop_for(2, mebibytes)


PROGRAMS: dict[str, Callable[[], None]] = {
    "Builds and drops 60 MiB, over and over": churn,
    "Builds and drops 60 MiB once a second": burst,
    "Builds and drops 60 MiB, then 8 MiB, then 100 MiB, over and over for 2 s each": change,
}


# ---- Measure ----


def resident_bytes() -> int:
    with open("/proc/self/statm", "rb") as statm:
        return int(statm.read().split()[1]) * PAGE_BYTES


def measure(title: str) -> list[Sample]:
    """Of the program, and of the rest after it; in a process of its own."""
    hakmem.enable()
    samples: list[Sample] = []
    base_bytes, begin, is_over = resident_bytes(), time.monotonic(), threading.Event()

    def watch() -> None:
        while not is_over.wait(SAMPLE_MS / 1000):
            stats = hakmem.stats()
            resident = resident_bytes() - base_bytes
            seconds = time.monotonic() - begin
            samples.append(Sample(seconds, stats["live_bytes"], resident, stats["burst_bound_bytes"]))

    watcher = threading.Thread(target=watch)
    watcher.start()
    PROGRAMS[title]()
    time.sleep(REST_SECONDS)
    is_over.set()
    watcher.join()
    return samples


# ---- Draw ----


def mebibytes_of(values: Iterable[int]) -> list[float]:
    return [value / MEBIBYTE for value in values]


def draw_program(axes: Any, title: str, samples: Sequence[Sample]) -> None:
    times = [row.seconds for row in samples]
    live = mebibytes_of(row.live_bytes for row in samples)
    axes.fill_between(times, live, color=LIVE, alpha=0.45, linewidth=0, label="live")
    resident = mebibytes_of(row.resident_bytes for row in samples)
    axes.plot(times, resident, color=RESIDENT, linewidth=1.6, label="resident, as the kernel counts")
    held = mebibytes_of(row.live_bytes + row.bound_bytes for row in samples)
    axes.plot(times, held, color=BOUND, linewidth=1.4, label="live + burst bound: what may be resident")
    axes.set_title(title, loc="left", fontsize=11)
    axes.set_ylabel("MiB")
    axes.set_ylim(bottom=0)
    axes.margins(x=0.01)
    axes.grid(axis="y", color="#d0d7de", linewidth=0.5)
    axes.spines[["top", "right"]].set_visible(False)


def draw(programs: dict[str, list[Sample]], out: Path) -> None:
    figure = Figure(figsize=SIZE_INCHES, layout="constrained")
    rows = figure.subplots(len(programs), 1)
    for axes, (title, samples) in zip(rows, programs.items(), strict=True):
        draw_program(axes, title, samples)
    rows[-1].set_xlabel("seconds")
    handles, labels = rows[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=len(labels), frameon=False, fontsize=10)
    figure.savefig(out, dpi=DOTS_PER_INCH)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path(__file__).with_name("learned-bound.png"))
    arguments = parser.parse_args()
    with multiprocessing.get_context("spawn").Pool(1, maxtasksperchild=1) as pool:
        measured = pool.map(measure, PROGRAMS, chunksize=1)
    draw(dict(zip(PROGRAMS, measured, strict=True)), arguments.out)


if __name__ == "__main__":
    main()
