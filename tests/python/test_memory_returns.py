"""Resident memory falls when objects die: what the package is for."""

from __future__ import annotations

from python_support import json_of

RESIDENT = """
import gc, json, time, hakmem
hakmem.enable()
def resident_bytes():
    with open("/proc/self/smaps_rollup") as file:
        return next(int(line.split()[1]) * 1024 for line in file if line.startswith("Rss:"))
def settled_bytes():
    time.sleep(0.6)  # well above purge_delay_ms, and nothing calls the allocator meanwhile
    return resident_bytes()
resident_bytes()
MIB = 1 << 20
"""


def test_a_million_objects_dropped_three_times() -> None:
    rounds = json_of(
        RESIDENT
        + """
def figures():
    gc.collect()
    now = hakmem.stats()
    return [now["superslabs_active"], now["live_bytes"], now["superslabs_born"]]
figures()
rounds = [figures()]
for _ in range(3):
    keep = [object() for _ in range(10**6)]
    del keep
    rounds.append(figures())
print(json.dumps(rounds))
"""
    )
    first, *later = rounds
    for active, live_bytes, _ in later:
        assert active <= first[0] + 1, rounds
        assert abs(live_bytes - first[1]) <= 64 << 10, rounds
    born = [row[2] for row in rounds]
    assert born == sorted(set(born)), "each round is born again"


def test_resident_memory_falls_without_another_call() -> None:
    before, peak, after = json_of(
        RESIDENT
        + """
before = resident_bytes()
keep = [{"number": number, "text": str(number) * 5} for number in range(200_000)]
peak = resident_bytes()
del keep
print(json.dumps([before, peak, settled_bytes()]))
"""
    )
    assert peak - before > 50 << 20
    assert after - before < 8 << 20, (before, peak, after)


def test_resident_memory_falls_for_blocks_above_512_bytes() -> None:
    before, peak, after = json_of(
        RESIDENT
        + """
before = resident_bytes()
keep = [bytes(700 + number % 1349) for number in range(100_000)]
peak = resident_bytes()
del keep
print(json.dumps([before, peak, settled_bytes()]))
"""
    )
    assert peak - before > 100 << 20
    assert after - before < 8 << 20, (before, peak, after)


def test_scattered_survivors_pin_little() -> None:
    """One record in a hundred survives, scattered: pymalloc would keep nearly all of it."""
    before, peak, after, live = json_of(
        RESIDENT
        + """
before = resident_bytes()
keep = [{"number": number, "text": str(number) * 5, "list": [number] * 3} for number in range(200_000)]
peak = resident_bytes()
survivors = keep[::100]
del keep
gc.collect()
print(json.dumps([before, peak, settled_bytes(), hakmem.stats()["live_bytes"]]))
"""
    )
    assert peak - before > 60 << 20
    assert after - before < (peak - before) / 2, (before, peak, after, live)
    assert live < 4 << 20


def test_trim_is_enough_when_nothing_is_purged_by_itself() -> None:
    before, peak, kept, trimmed, given_back = json_of(
        RESIDENT
        + """
for name in ("retain_bytes", "retain_burst_bytes"):
    hakmem.set_option(name, 1 << 40)
before = resident_bytes()
keep = [bytes(3000) for _ in range(30_000)]
peak = resident_bytes()
survivors = keep[::1000]
del keep
kept = settled_bytes()
given_back = hakmem.trim()
print(json.dumps([before, peak, kept, resident_bytes(), given_back]))
"""
    )
    assert kept > peak - (8 << 20), "the options did not hold it back"
    assert trimmed < before + (4 << 20)
    assert abs((kept - trimmed) - given_back) < 4 << 20
