"""Finds pymalloc's pools in the memory of a process, and what lives in them. Knows CPython 3.10 and newer, 64 bits.

Every pool is 16 KiB, aligned, and begins with a header whose fields depend on each other, so that other memory is
hardly ever taken for one (Objects/obmalloc.c, struct pool_header):

    count  freeblock  nextpool  prevpool  arenaindex  szidx  nextoffset  maxnextoffset
"""

import struct
from dataclasses import dataclass

from hakmem.measure.remote import PAGE_BYTES, RemoteMemory

POOL_BYTES = 16 * 1024
HEADER = struct.Struct("=IIQQQIIII")
CLASSES = 32
BLOCK_STEP_BYTES = 16
POOLS_READ_MAX = 200_000


@dataclass
class Pools:
    """What pymalloc holds in one mapping."""

    resident_bytes: int = 0
    live_bytes: int = 0
    pools: int = 0
    starts: frozenset[int] = frozenset()


def live_bytes_of(header: bytes) -> int | None:
    """Return the bytes of live blocks in a pool with this header; None where it is no pool's header."""
    if len(header) < HEADER.size:
        return None
    count, _, _, _, _, _, class_index, next_offset, last_offset = HEADER.unpack(header)
    block_bytes = (class_index + 1) * BLOCK_STEP_BYTES
    is_header = (
        class_index < CLASSES
        and last_offset == POOL_BYTES - block_bytes
        and HEADER.size <= next_offset <= POOL_BYTES
        and count <= (POOL_BYTES - HEADER.size) // block_bytes
    )
    return count * block_bytes if is_header else None


def find_pools(memory: RemoteMemory, start: int, end: int, present: list[bool]) -> Pools:
    """Look at every pool's place in a mapping of which an OS page is resident. Of very large ones only at some."""
    found = Pools()
    pages_per_pool = max(1, POOL_BYTES // PAGE_BYTES)
    first = -(-start // POOL_BYTES) * POOL_BYTES
    places = range(first, end - POOL_BYTES + 1, POOL_BYTES)
    step = max(1, len(places) // POOLS_READ_MAX)
    starts = []
    for place in places[::step]:
        page = (place - start) // PAGE_BYTES
        if page >= len(present) or not present[page]:
            continue
        live_bytes = live_bytes_of(memory.read(place, HEADER.size))
        if live_bytes is None:
            continue
        starts.append(place)
        found.live_bytes += live_bytes * step
        found.resident_bytes += sum(present[page : page + pages_per_pool]) * PAGE_BYTES * step
        found.pools += step
    found.starts = frozenset(starts)
    return found
