"""What a breakdown means: one verdict in words, with the figure that it rests on, and what to do."""

from dataclasses import asdict, dataclass
from typing import Any

from hakmem.measure.breakdown import LABELS, Breakdown
from hakmem.measure.languages import HOW_TO_TELL

MEBIBYTE = 1024 * 1024
# Below both there is nothing to find: all of it, and all but files, as of an interpreter that has just started.
SMALL_BYTES = 32 * MEBIBYTE
SMALL_BYTES_BESIDE_FILES = 8 * MEBIBYTE
# A kind of memory is the answer where it is at least this part of all.
PART_MIN = 0.25
# Free memory counts as locked where this part of all is: by mlockall, not by the mlock of a few buffers.
LOCKED_PART_MIN = 0.5
GROWTH_BYTES_MIN = 1 * MEBIBYTE
GROWTH_PART_MIN = 0.01

LIVE_ROWS = ("hakmem_live", "hakmem_untold", "pymalloc_live", "glibc_used", "glibc_large", "other_anonymous")
PYTHON_LIVE_ROWS = ("hakmem_live", "pymalloc_live")
OUTSIDE_ROWS = ("glibc_used", "glibc_large", "other_anonymous", "shared_memory", "stacks")
# Where an interpreter's own allocator puts its objects, beside what else is there, and how that allocator is called.
OBJECTS_AMONG_ROWS = {
    "lua": (("glibc_used", "glibc_large"), "the C library's malloc"),
    "luajit": (("other_anonymous",), "anonymous mappings, as LuaJIT's own allocator does"),
}
LOCKED = " It is locked (mlock, mlockall), so the kernel takes no OS page of it back."
LOCKED_ADVICE = (
    "unlock it (munlockall), or lock only what must not be swapped out (mlock): as long as it is locked, neither hakmem"
    " nor malloc_trim gives it back"
)
GLIBC_OPTIONS = "MALLOC_TRIM_THRESHOLD_=131072 and MALLOC_ARENA_MAX=2"
LUA_CACHE_ADVICE = f'require "hakmem" (lua -l hakmem) lets what Lua drops go back; without it, set {GLIBC_OPTIONS}'
CACHE_ADVICE = {
    "python": "hakmem run --all serves malloc, and gives it back. Without hakmem: call malloc_trim(0) after the peak"
    f" (in Python: ctypes.CDLL(None).malloc_trim(0)), or set {GLIBC_OPTIONS}",
    "lua": LUA_CACHE_ADVICE,
    "luajit": LUA_CACHE_ADVICE,
}
ANY_CACHE_ADVICE = (
    "hakmem exec (or hakmem-exec) serves malloc, and gives it back. Without hakmem: call malloc_trim(0) after the peak,"
    f" or set {GLIBC_OPTIONS}"
)
OUTSIDE_ADVICE = (
    "hakmem run serves NumPy's arrays; other buffers and extension modules use malloc, which hakmem run --all serves,"
    " and mappings of their own"
)
OUTSIDE_ADVICE_IF_SERVED = (
    "malloc is served by hakmem already; the rest are mappings that the program or its libraries make"
)


@dataclass
class Diagnosis:
    """`kind`: growth, fragmentation, cache, live, outside, files, small, unclear. The next two are sentences.

    `most_row` is the row that most of it is in, where the verdict rests on several.
    """

    kind: str
    verdict: str
    advice: str
    most_row: str = ""

    def as_json(self) -> dict[str, Any]:
        """Return what --json prints."""
        return asdict(self)


def diagnose(first: Breakdown, second: Breakdown | None, seconds: float) -> Diagnosis:
    """Judge the last look; the first one says whether what lives is growing."""
    now = second or first
    growing = _growth(first, second, seconds) if second else None
    if growing:
        return growing
    beside_files_bytes = now.rss_bytes - now.rows["files"]
    if now.rss_bytes < SMALL_BYTES and beside_files_bytes < SMALL_BYTES_BESIDE_FILES:
        return Diagnosis(
            "small",
            f"nothing to find: {_mib(now.rss_bytes)} is little; {_mib(now.rows['files'])} of it are files (programs and"
            f" libraries), {_mib(beside_files_bytes)} all the rest.",
            "nothing",
        )
    free = [_fragmentation(now), _hakmem_cache(now), _glibc_cache(now)]
    if now.locked_bytes >= LOCKED_PART_MIN * now.rss_bytes:
        free = [(size_bytes, _locked(found)) for size_bytes, found in free]
    candidates = [*free, _lazily_freed(now), _untold(now), _live(now, second is not None, seconds), _among(now)]
    candidates += [_outside(now), _files(now)]
    size_bytes, found = max(candidates, key=lambda pair: pair[0])
    if size_bytes < PART_MIN * now.rss_bytes:
        biggest = max(now.rows, key=lambda name: now.rows[name])
        return Diagnosis(
            "unclear",
            f"no one thing stands out; the largest is {LABELS[biggest]}, {_mib(now.rows[biggest])} of"
            f" {_mib(now.rss_bytes)}.",
            "see the rows",
        )
    return found


def _mib(size_bytes: float) -> str:
    return f"{size_bytes / MEBIBYTE:.1f} MiB"


def _sum(breakdown: Breakdown, names: tuple[str, ...]) -> int:
    return sum(breakdown.rows[name] for name in names)


def _growth(first: Breakdown, second: Breakdown, seconds: float) -> Diagnosis | None:
    grown = _sum(second, LIVE_ROWS) - _sum(first, LIVE_ROWS)
    if grown < max(GROWTH_BYTES_MIN, GROWTH_PART_MIN * first.rss_bytes) or second.rss_bytes <= first.rss_bytes:
        return None
    most = max(LIVE_ROWS, key=lambda name: second.rows[name] - first.rows[name])
    return Diagnosis(
        "growth",
        f"what lives is growing: by {_mib(grown)} in {seconds:g} s ({_mib(grown * 60 / seconds)} a minute), most of it"
        f" in '{LABELS[most]}': a leak, or a working set that is still being built.",
        "look again for longer (--seconds 60). If it never stops: tracemalloc or memray say which lines allocate it."
        " No allocator gives back what lives",
        most,
    )


def _fragmentation(now: Breakdown) -> tuple[int, Diagnosis]:
    rows = now.rows
    held = rows["pymalloc_live"] + rows["pymalloc_free"]
    return rows["pymalloc_free"], Diagnosis(
        "fragmentation",
        f"fragmentation: pymalloc holds {_mib(held)} for {_mib(rows['pymalloc_live'])} of live blocks;"
        f" {_mib(rows['pymalloc_free'])} is free and cannot go back, because something lives in each arena.",
        "run it under hakmem, which gives back OS page by OS page: hakmem run, or see what it would do: hakmem compare",
    )


def _hakmem_cache(now: Breakdown) -> tuple[int, Diagnosis]:
    free_bytes = now.rows["hakmem_free"]
    stats = now.stats or {}
    pinned_bytes = min(stats.get("pinned_bytes", 0), free_bytes)
    rest_bytes = free_bytes - pinned_bytes
    if pinned_bytes >= rest_bytes:
        return free_bytes, Diagnosis(
            "fragmentation",
            f"fragmentation: {_mib(pinned_bytes)} in hakmem is free, but in OS pages in which something lives"
            f" ({_mib(now.rows['hakmem_live'])}).",
            "only the program can change that: let what stays be made before, or apart from, what goes",
        )
    return free_bytes, Diagnosis(
        "cache",
        f"a cache: hakmem keeps {_mib(rest_bytes)} that nothing lives in, for what comes next.",
        "it goes back after a moment without use; at once with hakmem.trim(), sooner with HAKMEM_PURGE_DELAY_MS and"
        " HAKMEM_RETAIN_BYTES",
    )


def _glibc_cache(now: Breakdown) -> tuple[int, Diagnosis]:
    free_bytes = now.rows["glibc_free"]
    return free_bytes, Diagnosis(
        "cache",
        f"a cache: the C library keeps {_mib(free_bytes)} that is free; {_mib(now.glibc_returnable_bytes)} of it are"
        " whole OS pages, which malloc_trim would give back.",
        CACHE_ADVICE.get(now.language, ANY_CACHE_ADVICE),
    )


def _locked(found: Diagnosis) -> Diagnosis:
    return Diagnosis(found.kind, found.verdict + LOCKED, LOCKED_ADVICE, found.most_row)


def _lazily_freed(now: Breakdown) -> tuple[int, Diagnosis]:
    return now.lazily_freed_bytes, Diagnosis(
        "cache",
        f"a cache: {_mib(now.lazily_freed_bytes)} was given back lazily (MADV_FREE); the kernel takes it when it needs"
        " it, and counts it as resident until then.",
        "nothing, unless the figure itself disturbs: then let the allocator that did it use MADV_DONTNEED",
    )


def _untold(now: Breakdown) -> tuple[int, Diagnosis]:
    size_bytes = now.rows["hakmem_untold"]
    return size_bytes, Diagnosis(
        "unclear",
        f"hakmem holds {_mib(size_bytes)}, and the process does not tell how much of it lives.",
        "start it with HAKMEM_STATS_SOCKET=1 and look again" if now.language == "python" else HOW_TO_TELL[now.language],
    )


def _live(now: Breakdown, was_watched: bool, seconds: float) -> tuple[int, Diagnosis]:
    size_bytes = _sum(now, PYTHON_LIVE_ROWS)
    watched = f" and did not grow within {seconds:g} s" if was_watched else ""
    return size_bytes, Diagnosis(
        "live",
        f"it lives: {_mib(size_bytes)} of Python's objects are in use{watched}: a working set, a cache of the"
        " program's, or a leak that stands still.",
        "hakmem changes nothing about that. Look again for longer (--seconds 60); gc.get_objects(), tracemalloc and"
        " memray say what it is",
    )


def _among(now: Breakdown) -> tuple[int, Diagnosis]:
    names, allocator = OBJECTS_AMONG_ROWS.get(now.language, ((), ""))
    size_bytes = _sum(now, names)
    return size_bytes, Diagnosis(
        "live",
        f"in use: {_mib(size_bytes)}. Lua puts its objects into {allocator}, unless its host gives it another"
        " allocator; other blocks of the process are among them.",
        'collectgarbage("count") says how many KiB are Lua\'s; with require "hakmem" the two are told apart, and what'
        " Lua drops goes back",
        max(names, key=lambda name: now.rows[name], default=""),
    )


def _outside(now: Breakdown) -> tuple[int, Diagnosis]:
    among, _ = OBJECTS_AMONG_ROWS.get(now.language, ((), ""))
    outside = [name for name in OUTSIDE_ROWS if name not in among]
    size_bytes = sum(now.rows[name] for name in outside) - now.lazily_freed_bytes
    lazily = f", beside {_mib(now.lazily_freed_bytes)} that was given back lazily" if now.lazily_freed_bytes else ""
    most = max(outside, key=lambda name: now.rows[name])
    kind_of_memory = "not in Python's objects at all" if now.language == "python" else "not in an interpreter's objects"
    owner = f" {now.other_allocator} is loaded and serves malloc." if now.other_allocator else ""
    libraries = f" Loaded: {', '.join(now.heavy_libraries)}." if now.heavy_libraries else ""
    return size_bytes, Diagnosis(
        "outside",
        f"{kind_of_memory}: {_mib(size_bytes)}{lazily}, most of it in '{LABELS[most]}' ({_mib(now.rows[most])})."
        f"{owner}{libraries}",
        f"{OUTSIDE_ADVICE_IF_SERVED if now.malloc_is_served else OUTSIDE_ADVICE};"
        " memray --native, or heaptrack, say who",
        most,
    )


def _files(now: Breakdown) -> tuple[int, Diagnosis]:
    size_bytes = now.rows["files"]
    return size_bytes, Diagnosis(
        "files",
        f"files: {_mib(size_bytes)} are programs, libraries and mapped data; the kernel can drop what is unchanged, and"
        f" processes share it (PSS {_mib(now.pss_bytes)}).",
        "nothing; judge by PSS, or by the container's memory.current",
    )
