"""The shapes of the dictionaries that hakmem returns. Imported only by type checkers and on request."""

from typing import TypedDict


class ClassStats(TypedDict):
    """One size class."""

    block_bytes: int
    live: int
    cached: int
    free: int
    slabs: int


class Stats(TypedDict):
    """hakmem.stats(). mapped = live + cached + pinned + free resident + unbacked bytes, exactly."""

    version: int
    live_bytes: int
    live_blocks: int
    cached_bytes: int
    pinned_bytes: int
    free_resident_bytes: int
    unbacked_bytes: int
    metadata_bytes: int
    mapped_bytes: int
    large_bytes: int
    superslabs_active: int
    superslabs_spare: int
    superslabs_born: int
    superslabs_died: int
    purged_bytes_total: int
    served_requests: int
    passed_requests: int
    passed_bytes: int
    served_bytes: int
    burst_bound_bytes: int
    regret_bytes_total: int
    learn_tried: int
    learn_kept: int
    learn_taken_back: int
    classes: list[ClassStats]
    counters: dict[str, int]


class HeapStats(TypedDict):
    """A heap that has a number; limits of 0 are none."""

    heap: int
    used_bytes: int
    used_blocks: int
    peak_bytes: int
    soft_limit_bytes: int
    hard_limit_bytes: int
    soft_refusals: int
    hard_refusals: int


class ArraysReport(TypedDict):
    """hakmem.arrays(). served_by: "raw" (CPython's raw domain), "handler" (NumPy's data handler), "malloc", or None."""

    served_by: str | None
    reason: str | None


class OptionInfo(TypedDict):
    """One row of hakmem.options(). minimum and maximum are None unless kind is "integer"."""

    name: str
    variable: str
    kind: str
    value: int | str
    default: int | str
    minimum: int | None
    maximum: int | None
    choices: list[str]
    unit: str
    help: str
    at_start_only: bool
