"""Where the resident memory of a process is. The rows add up to what the kernel counts, exactly."""

import os
import re
from dataclasses import asdict, dataclass, field
from typing import Any

from hakmem.measure import client, glibc_heap, kernel, languages, pools, reach
from hakmem.measure.kernel import Mapping
from hakmem.measure.measure_error import MeasureError
from hakmem.measure.remote import PAGE_BYTES, RemoteMemory
from hakmem.preload import LIBRARY_NAME

OTHER_ALLOCATORS = ("jemalloc", "mimalloc", "tcmalloc", "snmalloc", "rpmalloc")
# Extension modules that hold much memory of their own, by a part of the path of their files.
HEAVY_LIBRARIES = ("numpy", "pandas", "torch", "tensorflow", "pyarrow", "scipy", "polars", "cv2", "lxml", "grpc")
SHARED_MEMORY = re.compile(r"/dev/shm/|/memfd:|/SYSV|/dev/zero|/dev/hugepages/|/anon_hugepage")
GUARD_BYTES_MAX = 64 * 1024
SUPERSLAB_BYTES = 2 * 1024 * 1024

LABELS = {
    "hakmem_live": "hakmem: live",
    "hakmem_free": "hakmem: free, resident",
    "hakmem_untold": "hakmem: live and free",
    "pymalloc_live": "pymalloc: live",
    "pymalloc_free": "pymalloc: free, resident",
    "glibc_used": "C library: in use",
    "glibc_free": "C library: free, resident",
    "glibc_large": "C library: large blocks, in use",
    "other_anonymous": "other anonymous mappings",
    "shared_memory": "shared memory",
    "files": "files (programs, libraries, mapped data)",
    "stacks": "stacks",
}


# By the word that the process tells (bindings/python/src/arrays.h).
ARRAYS_TEXTS = {
    "raw": "served by hakmem, in CPython's raw domain",
    "handler": "served by hakmem, by NumPy's data handler",
    "malloc": "served by hakmem, as malloc is",
    "awaited": "not served: hakmem saw no import of NumPy in the main interpreter; hakmem.arrays() there looks again",
    "off": "not served: HAKMEM_ARRAYS=off, enable(arrays='off'), disable() or HAKMEM_TINY_USE_SUPERSLAB=0",
    "refused": "not served: hakmem.arrays() in the program says why",
}


@dataclass
class Breakdown:
    """The rows, in bytes, by the names of LABELS; they sum to rss_bytes. The rest are parts of them, or hints."""

    process_id: int
    command: list[str]
    rss_bytes: int
    pss_bytes: int
    swap_bytes: int
    rows: dict[str, int]
    huge_page_bytes: int
    lazily_freed_bytes: int
    glibc_returnable_bytes: int
    language: str  # python, lua, luajit, "" (none of them)
    has_hakmem: bool
    stats: dict[str, Any] | None  # hakmem's own figures, where the process tells them
    other_allocator: str
    heavy_libraries: list[str]
    blind_spots: list[str] = field(default_factory=list)
    locked_bytes: int = 0
    malloc_is_served: bool = False  # the preloaded library is there
    arrays_way: str = ""  # who serves NumPy's array data (ARRAYS_TEXTS), where the process tells it
    out_of_reach: list[str] = field(default_factory=list)  # of hakmem, also where malloc is served

    def as_json(self) -> dict[str, Any]:
        """Return what --json prints."""
        return asdict(self)


def break_down(process_id: int) -> Breakdown:
    """Look at a process once. Raises MeasureError when it is gone or not ours."""
    kernel.check_readable(process_id)
    mappings = kernel.mappings(process_id)
    paths = {mapping.path for mapping in mappings if mapping.path.startswith("/")}
    has_hakmem = any("/_hakmem" in path or "libhakmem" in path or path.endswith("/hakmem.so") for path in paths)
    stats, arrays_way, why_untold = _own_figures(process_id) if has_hakmem else (None, "", "")
    rows = dict.fromkeys(LABELS, 0)
    blind_spots = []
    inside: _Inside | None = None
    try:
        memory = RemoteMemory(process_id)
    except MeasureError:
        blind_spots.append(
            "the memory itself may not be read, so what is live and what is free cannot be told apart;"
            f" {kernel.who_may_read(process_id)}"
        )
    else:
        try:
            inside = _Inside(memory)
            _sort_mappings(mappings, has_hakmem, rows, inside)
        finally:
            memory.close()
    if inside is None:
        _sort_mappings(mappings, has_hakmem, rows, None)
    elif inside.broken_heaps:
        blind_spots.append(
            f"{inside.broken_heaps} of the C library's heaps changed while they were read, or are not glibc's: what is"
            " free in them counts as in use"
        )
    if why_untold and rows["hakmem_untold"]:  # else it is loaded, and not used
        blind_spots.append(why_untold)
    _split_hakmem(rows, stats)
    return Breakdown(
        process_id=process_id,
        command=kernel.command_line(process_id),
        rss_bytes=_sum(mappings, "Rss"),
        pss_bytes=_sum(mappings, "Pss"),
        swap_bytes=_sum(mappings, "Swap"),
        rows=rows,
        huge_page_bytes=_sum(mappings, "AnonHugePages"),
        lazily_freed_bytes=_sum(mappings, "LazyFree"),
        glibc_returnable_bytes=inside.returnable_bytes if inside else 0,
        language=languages.language_of(process_id),
        has_hakmem=has_hakmem,
        stats=stats,
        other_allocator=next((name for name in OTHER_ALLOCATORS for path in paths if f"lib{name}" in path), ""),
        heavy_libraries=[name for name in HEAVY_LIBRARIES if any(f"/{name}/" in path for path in paths)],
        blind_spots=blind_spots,
        locked_bytes=_sum([mapping for mapping in mappings if mapping.is_locked], "Rss"),
        malloc_is_served=any(LIBRARY_NAME in path for path in paths),
        arrays_way=arrays_way,
        out_of_reach=reach.out_of_reach(paths, languages.executable_of(process_id)),
    )


class _Inside:
    """What can be found out by reading the process's memory."""

    def __init__(self, memory: RemoteMemory) -> None:
        self.memory = memory
        self.returnable_bytes = 0
        self.broken_heaps = 0

    def split_heap(self, mapping: Mapping, first_chunk: int, rows: dict[str, int]) -> None:
        """Tell used and free apart in one of the C library's heaps."""
        present = self.memory.present_pages(mapping.start, mapping.end)
        heap = glibc_heap.walk(self.memory, first_chunk, mapping.start, mapping.end, present)
        rss_bytes = mapping.sizes.get("Rss", 0)
        free_bytes = min(heap.free_resident_bytes, rss_bytes)
        rows["glibc_free"] += free_bytes
        rows["glibc_used"] += rss_bytes - free_bytes
        self.returnable_bytes += 0 if mapping.is_locked else min(heap.returnable_bytes, rss_bytes)
        self.broken_heaps += not heap.is_whole

    def split_anonymous(self, mapping: Mapping, rows: dict[str, int]) -> None:
        """Tell pymalloc's pools and the C library's large blocks from the rest of an anonymous mapping."""
        rss_bytes = mapping.sizes.get("Rss", 0)
        present = self.memory.present_pages(mapping.start, mapping.end)
        found = pools.find_pools(self.memory, mapping.start, mapping.end, present)
        pool_bytes = min(found.resident_bytes, rss_bytes)
        live_bytes = min(found.live_bytes, pool_bytes)
        large_bytes = min(self._large_bytes(mapping, present, found.starts), rss_bytes - pool_bytes)
        rows["pymalloc_live"] += live_bytes
        rows["pymalloc_free"] += pool_bytes - live_bytes
        rows["glibc_large"] += large_bytes
        rows["other_anonymous"] += rss_bytes - pool_bytes - large_bytes

    def _large_bytes(self, mapping: Mapping, present: list[bool], pool_starts: frozenset[int]) -> int:
        address, total = mapping.start, 0
        while address < mapping.end:
            page = (address - mapping.start) // PAGE_BYTES
            if address in pool_starts:
                address += pools.POOL_BYTES
                continue
            size_bytes = 0
            if page < len(present) and present[page]:
                size_bytes = glibc_heap.mapped_block_bytes(self.memory, address, mapping.end)
            total += sum(present[page : page + size_bytes // PAGE_BYTES]) * PAGE_BYTES
            address += size_bytes or PAGE_BYTES
        return total


def _sort_mappings(mappings: list[Mapping], has_hakmem: bool, rows: dict[str, int], inside: _Inside | None) -> None:
    before: Mapping | None = None
    is_ours = False
    for mapping in mappings:
        is_behind_ours = is_ours and before is not None and before.end == mapping.start
        is_ours = has_hakmem and is_superslab(mapping, is_behind_ours)
        if mapping.sizes.get("Rss", 0):
            _sort_mapping(mapping, before, is_ours, rows, inside)
        before = mapping


def _sort_mapping(
    mapping: Mapping, before: Mapping | None, is_ours: bool, rows: dict[str, int], inside: _Inside | None
) -> None:
    rss_bytes = mapping.sizes.get("Rss", 0)
    if mapping.path == "[heap]":
        if inside is None:
            rows["glibc_used"] += rss_bytes
        else:
            inside.split_heap(mapping, mapping.start, rows)
    elif mapping.path.startswith("[stack"):
        rows["stacks"] += rss_bytes
    elif SHARED_MEMORY.match(mapping.path):
        rows["shared_memory"] += rss_bytes
    elif not mapping.is_anonymous:
        rows["files"] += rss_bytes
    elif is_thread_stack(mapping, before):
        rows["stacks"] += rss_bytes
    elif is_ours:
        rows["hakmem_untold"] += rss_bytes
    elif inside is None:
        rows["other_anonymous"] += rss_bytes
    else:
        first_chunk = glibc_heap.first_chunk_of_arena(inside.memory, mapping.start, mapping.end)
        if first_chunk is not None:
            inside.split_heap(mapping, first_chunk, rows)
        else:
            inside.split_anonymous(mapping, rows)


def is_superslab(mapping: Mapping, is_behind_one: bool) -> bool:
    """Tell whether a mapping of a process with hakmem in it is hakmem's: aligned, and with a word on huge pages.

    Or behind such a one: NumPy 2.5 has a word of its own on huge pages, for what is between the ends of an array.
    """
    return (mapping.start % SUPERSLAB_BYTES == 0 or is_behind_one) and bool(mapping.flags & {"nh", "hg"})


def is_thread_stack(mapping: Mapping, before: Mapping | None) -> bool:
    """Tell whether it is the stack of a thread: a guard lies directly below."""
    return (
        before is not None
        and before.end == mapping.start
        and before.permissions.startswith("---")
        and before.is_anonymous
        and before.end - before.start <= GUARD_BYTES_MAX
        and mapping.permissions.startswith("rw")
    )


def _own_figures(process_id: int) -> tuple[dict[str, Any] | None, str, str]:
    """Return hakmem's stats and its word on arrays of a process that tells them, else why not."""
    if process_id == os.getpid():
        import hakmem
        from hakmem import _hakmem

        return dict(hakmem.stats()), _hakmem.arrays_state()[0], ""
    try:
        told = client.ask(process_id)
    except MeasureError as error:
        return None, "", f"what is live and what is free in hakmem cannot be told apart: {error}"
    return told["stats"], told["arrays"] if told.get("arrays") in ARRAYS_TEXTS else "", ""


def _split_hakmem(rows: dict[str, int], stats: dict[str, Any] | None) -> None:
    if stats is None:
        return
    live_bytes = min(stats["live_bytes"], rows["hakmem_untold"])
    rows["hakmem_live"] = live_bytes
    rows["hakmem_free"] = rows["hakmem_untold"] - live_bytes
    rows["hakmem_untold"] = 0


def _sum(mappings: list[Mapping], name: str) -> int:
    return sum(mapping.sizes.get(name, 0) for mapping in mappings)
