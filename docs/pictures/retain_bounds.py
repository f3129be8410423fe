"""Draws the two retain bounds over time, measured in this process: a heap is built, dropped, and left alone.

    python docs/pictures/retain_bounds.py [--out FILE]

The interpreter is one of an environment with hakmem and matplotlib (pip install 'hakmem[measure]').
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import hakmem
import picture

BLOCK_BYTES = 500
BLOCKS = 240_000
KEPT_BLOCKS = 20_000
PORTION_BLOCKS = 4_000  # built or dropped between two samples
REST_MS = 60  # between the end of the building and the drop
DROP_MS = 220
END_MS = 1300
SAMPLE_MS = 4
HEIGHT_INCHES = 6.4
FREE, IDLE_BOUND = "#d1242f", "#1a7f37"


class Sample(NamedTuple):
    time_ms: float
    live_bytes: int
    used_bytes: int
    free_bytes: int  # backed OS pages that no used block touches
    resident_bytes: int  # as the kernel counts them, since the start


# ---- Measure ----


def measure() -> list[Sample]:
    """Build, rest, drop from the end, idle. Time 0 is the begin of the drop."""
    samples: list[Sample] = []
    base_bytes = picture.resident_bytes()
    begin = time.monotonic()

    def sample() -> None:
        stats = hakmem.stats()
        live_bytes = stats["live_bytes"]
        used_bytes = live_bytes + stats["cached_bytes"] - stats["large_bytes"]
        resident = picture.resident_bytes() - base_bytes
        now_ms = (time.monotonic() - begin) * 1000
        samples.append(Sample(now_ms, live_bytes, used_bytes, stats["free_resident_bytes"], resident))

    def sample_until(end_ms: float) -> None:
        while (time.monotonic() - begin) * 1000 < end_ms:
            sample()
            time.sleep(SAMPLE_MS / 1000)

    blocks: list[bytes] = []
    while len(blocks) < BLOCKS:
        blocks += [bytes(BLOCK_BYTES) for _ in range(PORTION_BLOCKS)]
        sample()
    drop_ms = (time.monotonic() - begin) * 1000 + REST_MS
    sample_until(drop_ms)
    while len(blocks) > KEPT_BLOCKS:
        del blocks[-PORTION_BLOCKS:]
        dropped = (BLOCKS - len(blocks)) / (BLOCKS - KEPT_BLOCKS)
        sample_until(drop_ms + dropped * DROP_MS)
    sample_until(drop_ms + END_MS)
    return [row._replace(time_ms=row.time_ms - drop_ms) for row in samples]


# ---- The bounds, as core/src/retention/bounds.c has them ----


def option(name: str) -> int:
    return int(hakmem.get_option(name))


def idle_bound(used_bytes: int) -> float:
    return option("retain_bytes") + used_bytes * option("retain_percent") / 100


def burst_bound(used_bytes: int) -> float:
    share = used_bytes * option("retain_burst_percent") / 100
    return max(option("retain_burst_bytes"), share, idle_bound(used_bytes))


# ---- Draw ----


def note(axes: Any, text: str, at: tuple[float, float], where: tuple[float, float]) -> None:
    arrow = {"arrowstyle": "->", "color": "#57606a", "linewidth": 0.8}
    axes.annotate(text, at, where, fontsize=9, color="#24292f", va="center", arrowprops=arrow)


def draw_process(axes: Any, samples: Sequence[Sample]) -> None:
    times = [row.time_ms for row in samples]
    live = picture.mebibytes(row.live_bytes for row in samples)
    resident = picture.mebibytes(row.resident_bytes for row in samples)
    axes.fill_between(times, live, color=picture.LIVE, alpha=0.45, linewidth=0)
    axes.plot(times, resident, color=picture.RESIDENT, linewidth=1.6)
    axes.set_ylabel("MiB, above the start")
    axes.text(-40, 50, "live", color="#424a53", ha="center", fontsize=10)
    text = "resident, as the kernel counts"
    axes.text(70, max(resident) * 0.97, text, color=picture.RESIDENT, fontsize=10, va="center")
    axes.set_title("A heap is built, dropped in portions, and left alone", loc="left", fontsize=11)


def draw_bounds(axes: Any, samples: Sequence[Sample], delay_ms: int) -> None:
    times = [row.time_ms for row in samples]
    free = picture.mebibytes(row.free_bytes for row in samples)
    burst = picture.mebibytes(burst_bound(row.used_bytes) for row in samples)
    idle = picture.mebibytes(idle_bound(row.used_bytes) for row in samples)
    axes.fill_between(times, free, color=FREE, alpha=0.25, linewidth=0)
    axes.plot(times, free, color=FREE, linewidth=1.2)
    axes.plot(times, burst, color=picture.BURST_BOUND, linewidth=1.6)
    axes.plot(times, idle, color=IDLE_BOUND, linewidth=1.6, linestyle=(0, (5, 2)))
    axes.set_ylabel("MiB")
    text = "burst bound: all that is free"
    axes.text(times[-1], burst[-1] + 0.5, text, color=picture.BURST_BOUND, ha="right", va="bottom")
    text = "idle bound: what has been free for longer than the delay"
    axes.text(times[-1], idle[-1] + 0.5, text, color=IDLE_BOUND, ha="right", va="bottom")
    axes.text(120, burst[-1] * 0.62, "free and resident", color="#a40e26", va="center", fontsize=10)
    place_notes(axes, times, free, delay_ms)
    axes.set_title("Free OS pages that are resident, and the two bounds", loc="left", fontsize=11)
    axes.set_xlabel("ms since the begin of the drop")


def place_notes(axes: Any, times: Sequence[float], free: Sequence[float], delay_ms: int) -> None:
    highest = max(range(len(free)), key=free.__getitem__)
    end = next(index for index, time_ms in enumerate(times) if time_ms > DROP_MS)
    steepest = min(range(end + 1, len(free)), key=lambda index: free[index] - free[index - 1])
    note(
        axes,
        "1  at the burst bound the thread that frees gives back",
        (times[highest] + 8, free[highest] - 0.5),
        (times[highest] + 120, free[highest] + 3),
    )
    middle = (free[steepest] + free[steepest - 1]) / 2
    note(
        axes,
        "2  the helper gives back what has been free for the delay",
        (times[steepest] + 3, middle),
        (times[steepest] + 110, middle + 2.5),
    )
    span = {"arrowstyle": "<->", "color": "#57606a", "linewidth": 0.8}
    axes.vlines((DROP_MS, DROP_MS + delay_ms), 0, 3.2, color="#57606a", linewidth=0.8)
    axes.annotate("", (DROP_MS, 1.6), (DROP_MS + delay_ms, 1.6), arrowprops=span)
    axes.text(DROP_MS + 12, 2.1, f"delay: {delay_ms} ms", va="bottom", fontsize=8.5, color="#24292f")


def draw(samples: Sequence[Sample], out: Path) -> None:
    figure = picture.new_figure(HEIGHT_INCHES)
    process, bounds = figure.subplots(2, 1, sharex=True)
    draw_process(process, samples)
    draw_bounds(bounds, samples, option("purge_delay_ms"))
    for axes in (process, bounds):
        picture.style_over_time(axes)
    picture.save(figure, out)


def main() -> None:
    arguments = picture.command_line(__doc__, "retain-bounds.png").parse_args()
    hakmem.enable()
    draw(measure(), arguments.out)


if __name__ == "__main__":
    main()
