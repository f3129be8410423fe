"""Resident memory falls when NumPy's arrays are dropped: what its users report that it does not do.

The stories are those of numpy#29738 (what stays depends on the size, to the megabyte), numpy#23238 (arrays of many
sizes) and numpy#18358 (large ones after many small ones), told anew.
"""

from __future__ import annotations

import json
import sys
from typing import Any

import psutil
import pytest
from python_support import clean_environment, output_of, run

pytest.importorskip("numpy", reason="NumPy is not here: pip install numpy")

MIB = 1 << 20

STORIES = """
import asyncio, gc, json, os, sys, threading, time
import hakmem
if sys.argv[1] == "hakmem":
    hakmem.enable()
import numpy
peak_bytes = 0
free_bytes = []  # of the machine, where a story notes them
def resident_bytes():
    with open("/proc/self/smaps_rollup") as file:
        return next(int(line.split()[1]) * 1024 for line in file if line.startswith("Rss:"))
def note_peak():
    global peak_bytes
    peak_bytes = max(peak_bytes, resident_bytes())
def sizes(count, largest):
    return (10 + number * 7919 % largest for number in range(count))
def size_by_size():
    for mebibytes in (1, 2, 4, 8, 16, 31, 40):
        rows = [numpy.ones(mebibytes << 17) for _ in range(max(1, 96 // mebibytes))]
        note_peak()
        del rows
def many_sizes():
    rows = [numpy.ones(count) for count in sizes(4000, 20_000)]
    note_peak()
def large_after_small():
    small = [numpy.ones(60) for _ in range(150_000)]
    large = [numpy.ones(1 << 20) for _ in range(8)]
    note_peak()
def scattered_survivors():
    rows = [numpy.ones(count) for count in sizes(15_000, 8000)]
    note_peak()
    return rows[::100]
def in_main(story):
    return story()
def in_thread(story):
    kept = []
    thread = threading.Thread(target=lambda: kept.append(story()))
    thread.start()
    thread.join()
    return kept
def in_task(story):
    async def tell():
        return story()
    async def wait():
        return await asyncio.create_task(tell())
    return asyncio.run(wait())
def in_child(story):
    child = os.fork()
    if child != 0:
        os._exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
    resident_bytes()
    global base_bytes
    base_bytes = resident_bytes()
    return story()
def free_of_machine():
    with open("/proc/meminfo") as file:
        return next(int(line.split()[1]) * 1024 for line in file if line.startswith("MemFree:"))
def large_ones():
    free_bytes.append(free_of_machine())
    rows = [numpy.ones(mebibytes << 17) for mebibytes in (4, 8, 40) for _ in range(800 // mebibytes)]
    free_bytes.append(free_of_machine())
resident_bytes()
base_bytes = resident_bytes()
kept = globals()[sys.argv[3]](globals()[sys.argv[2]])
gc.collect()
time.sleep(0.8)  # well above purge_delay_ms, and nothing calls the allocator meanwhile
figures = [base_bytes, peak_bytes, resident_bytes(), hakmem.arrays()["served_by"]]
print(json.dumps([*free_bytes, free_of_machine()] if free_bytes else figures))
sys.stdout.flush()
"""


def free_bytes() -> int:
    return psutil.virtual_memory().free


def figures_of(allocator: str, story: str, place: str) -> Any:
    command = [sys.executable, "-c", STORIES, allocator, story, place]
    return json.loads(output_of(run(command, environment=clean_environment(MALLOC_ARENA_MAX="2"))))


PLACES = pytest.mark.parametrize("place", ["in_main", "in_thread", "in_task", "in_child"])


@PLACES
@pytest.mark.parametrize("story", ["size_by_size", "many_sizes", "large_after_small"])
def test_dropped_arrays_go_back(story: str, place: str) -> None:
    base, peak, idle, way = figures_of("hakmem", story, place)
    assert way in ("raw", "handler")
    assert peak - base > 90 * MIB
    assert idle <= base + 0.05 * (peak - base) + 8 * MIB, (base, peak, idle)


@PLACES
def test_scattered_survivors_pin_little(place: str) -> None:
    """One array in a hundred survives."""
    base, peak, idle, way = figures_of("hakmem", "scattered_survivors", place)
    stock_base, _, stock_idle, stock_way = figures_of("stock", "scattered_survivors", place)
    assert (way in ("raw", "handler"), stock_way) == (True, None)
    assert peak - base > 300 * MIB
    assert idle - base <= 0.25 * (stock_idle - stock_base), (base, idle, stock_base, stock_idle)


@pytest.mark.skipif(free_bytes() < 4 << 30, reason="the machine has less than 4 GiB of free memory")
@PLACES
def test_dropped_arrays_are_free_memory_of_the_machine(place: str) -> None:
    """Resident memory that the kernel may take later, as by MADV_FREE, would not be."""
    before, at_peak, after = figures_of("hakmem", "large_ones", place)
    held = before - at_peak
    assert held > 1500 * MIB
    assert before - after <= 0.25 * held, (before, at_peak, after)
