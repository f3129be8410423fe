"""Walks the C library's heap in the memory of a process: what is free in it and yet resident. Knows glibc, 64 bits.

A chunk begins with two words: the size of the one before if that is free, and its own size, whose lowest bits say
whether the one before is in use (1) and whether it is a mapping of its own (2) (malloc/malloc.c). What waits in the
caches of threads and in fast bins looks as if it were in use, so what is free is a lower limit.
"""

import struct
from dataclasses import dataclass

from hakmem.measure.remote import PAGE_BYTES, RemoteMemory

WORDS = struct.Struct("<QQ")
FLAGS = 7
PREVIOUS_IN_USE = 1
IS_MAPPING = 2
CHUNK_BYTES_MIN = 32
ALIGNMENT = 16
BUFFER_BYTES = 64 * 1024
CHUNKS_MAX = 3_000_000
# A heap of another arena begins at a multiple of this with a header; the first one of an arena has the arena behind it.
HEAP_ALIGNMENT = 64 * 1024 * 1024
HEAP_HEADER_SIZES = (0x30, 0x20)  # glibc 2.35 and newer; older
ARENA_BYTES = 0x898
MAPPING_BYTES_MIN = 128 * 1024


@dataclass
class Heap:
    """What was found in one heap. `is_whole` says that the walk came to its end."""

    free_resident_bytes: int = 0  # all of free chunks that is resident
    returnable_bytes: int = 0  # whole OS pages of it: what malloc_trim would give back
    chunks: int = 0
    is_whole: bool = False


class _Reader:
    """Words of another process, read in larger pieces."""

    def __init__(self, memory: RemoteMemory, end: int) -> None:
        self._memory = memory
        self._end = end
        self._start = 0
        self._content = b""

    def words(self, address: int) -> tuple[int, int] | None:
        offset = address - self._start
        if not 0 <= offset <= len(self._content) - WORDS.size:
            self._content = self._memory.read(address, min(BUFFER_BYTES, self._end - address))
            self._start, offset = address, 0
            if len(self._content) < WORDS.size:
                return None
        first, second = WORDS.unpack_from(self._content, offset)
        return first, second


def walk(memory: RemoteMemory, first_chunk: int, start: int, end: int, present: list[bool]) -> Heap:
    """Walk from the first chunk to the last one, which ends where the heap ends."""
    heap = Heap()
    reader = _Reader(memory, end)
    address, previous = first_chunk, 0
    while heap.chunks < CHUNKS_MAX:
        words = reader.words(address) if address + WORDS.size <= end else None
        if words is None:
            return heap
        size_bytes = words[1] & ~FLAGS
        if previous and not words[1] & PREVIOUS_IN_USE:
            _add_free(heap, previous, address, start, present)
        if address + size_bytes >= end - CHUNK_BYTES_MIN and size_bytes:  # the top chunk is free
            _add_free(heap, address, end, start, present)
            heap.is_whole = True
            return heap
        if size_bytes < CHUNK_BYTES_MIN or size_bytes % ALIGNMENT:
            return heap
        heap.chunks += 1
        previous, address = address, address + size_bytes
    return heap


def _add_free(heap: Heap, chunk: int, chunk_end: int, start: int, present: list[bool]) -> None:
    first_whole = -(-(chunk + CHUNK_BYTES_MIN) // PAGE_BYTES)
    last_whole = chunk_end // PAGE_BYTES
    last_whole = max(first_whole, last_whole)
    base = start // PAGE_BYTES
    whole = sum(present[first_whole - base : last_whole - base])
    edges = max(0, (chunk_end - chunk) - (last_whole - first_whole) * PAGE_BYTES)
    heap.returnable_bytes += whole * PAGE_BYTES
    heap.free_resident_bytes += whole * PAGE_BYTES + edges


def first_chunk_of_arena(memory: RemoteMemory, start: int, end: int) -> int | None:
    """Return where the chunks of another arena's heap begin; None where this is no such heap."""
    header = memory.read(start, 32)
    if start % HEAP_ALIGNMENT or len(header) < 32:
        return None
    arena: int
    arena, previous, size_bytes, _ = struct.unpack("<QQQQ", header)
    if size_bytes == 0 or size_bytes > HEAP_ALIGNMENT or size_bytes % PAGE_BYTES:
        return None
    for header_bytes in HEAP_HEADER_SIZES:
        if arena == start + header_bytes:
            return -(-(arena + ARENA_BYTES) // ALIGNMENT) * ALIGNMENT
    if arena % HEAP_ALIGNMENT in HEAP_HEADER_SIZES and previous % HEAP_ALIGNMENT == 0 and previous:
        return start + arena % HEAP_ALIGNMENT
    return None


def mapped_block_bytes(memory: RemoteMemory, address: int, end: int) -> int:
    """Return the size of the block with a mapping of its own that begins here; 0 where there is none."""
    content = memory.read(address, WORDS.size)
    if len(content) < WORDS.size:
        return 0
    before, size_word = WORDS.unpack(content)
    size_bytes = size_word & ~FLAGS
    is_block = (
        before == 0
        and size_word & FLAGS == IS_MAPPING
        and size_bytes % PAGE_BYTES == 0
        and MAPPING_BYTES_MIN <= size_bytes <= end - address
    )
    return size_bytes if is_block else 0
