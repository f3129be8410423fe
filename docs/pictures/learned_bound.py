"""Draws the burst bound that is learned, over time, in three processes: one that builds and drops over and over, one
that does it every other second, and one that changes its load.

    python docs/pictures/learned_bound.py [--out FILE]

The interpreter is one of an environment with hakmem and matplotlib (pip install 'hakmem[measure]').
"""

from __future__ import annotations

import multiprocessing
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import hakmem
import picture

BLOCK_BYTES = 1200
SAMPLE_MS = 5
REST_SECONDS = 2.0  # after the program
HEIGHT_INCHES = 8.4


class Sample(NamedTuple):
    seconds: float
    live_bytes: int
    resident_bytes: int  # as the kernel counts them, since the start
    bound_bytes: int


# ---- Programs ----


def build_and_drop(mebibytes: int) -> None:
    blocks = [bytes(BLOCK_BYTES) for _ in range(mebibytes * picture.MEBIBYTE // BLOCK_BYTES)]
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


def measure(title: str) -> list[Sample]:
    """Of the program, and of the rest after it; in a process of its own."""
    hakmem.enable()
    samples: list[Sample] = []
    base_bytes, begin, is_over = picture.resident_bytes(), time.monotonic(), threading.Event()

    def watch() -> None:
        while not is_over.wait(SAMPLE_MS / 1000):
            stats = hakmem.stats()
            resident = picture.resident_bytes() - base_bytes
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


def draw_program(axes: Any, title: str, samples: Sequence[Sample]) -> None:
    times = [row.seconds for row in samples]
    live = picture.mebibytes(row.live_bytes for row in samples)
    axes.fill_between(times, live, color=picture.LIVE, alpha=0.45, linewidth=0, label="live")
    resident = picture.mebibytes(row.resident_bytes for row in samples)
    axes.plot(times, resident, color=picture.RESIDENT, linewidth=1.6, label="resident, as the kernel counts")
    held = picture.mebibytes(row.live_bytes + row.bound_bytes for row in samples)
    axes.plot(times, held, color=picture.BURST_BOUND, linewidth=1.4, label="live + burst bound: what may be resident")
    axes.set_title(title, loc="left", fontsize=11)
    axes.set_ylabel("MiB")
    picture.style_over_time(axes)


def draw(programs: dict[str, list[Sample]], out: Path) -> None:
    figure = picture.new_figure(HEIGHT_INCHES)
    rows = figure.subplots(len(programs), 1)
    for axes, (title, samples) in zip(rows, programs.items(), strict=True):
        draw_program(axes, title, samples)
    rows[-1].set_xlabel("seconds")
    handles, labels = rows[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=len(labels), frameon=False, fontsize=10)
    picture.save(figure, out)


def main() -> None:
    arguments = picture.command_line(__doc__, "learned-bound.png").parse_args()
    with multiprocessing.get_context("spawn").Pool(1, maxtasksperchild=1) as pool:
        measured = pool.map(measure, PROGRAMS, chunksize=1)
    draw(dict(zip(PROGRAMS, measured, strict=True)), arguments.out)


if __name__ == "__main__":
    main()
