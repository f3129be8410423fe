"""`hakmem doctor` as a whole: looks once or twice, judges, and shows it. Also for a process that looks at itself."""

import time
from typing import Any

from hakmem.measure import tables
from hakmem.measure.breakdown import ARRAYS_TEXTS, LABELS, Breakdown, break_down
from hakmem.measure.diagnosis import Diagnosis, diagnose
from hakmem.shown import shown

MEBIBYTE = 1024 * 1024
COMMAND_LENGTH_MAX = 100
FREE_BYTES_MIN = MEBIBYTE
SMALL_FREE_BLOCKS = (
    "small free blocks that the C library keeps at hand (fast bins and caches of threads), which count as in use"
)


def examine(process_id: int, seconds: float) -> tuple[Breakdown, Breakdown | None, Diagnosis]:
    """Look, wait, look again, judge; once only where `seconds` is 0. Raises MeasureError."""
    first = break_down(process_id)
    second = None
    if seconds > 0:
        time.sleep(seconds)
        second = break_down(process_id)
    diagnosis = diagnose(first, second, seconds)
    if diagnosis.most_row == "glibc_used":
        (second or first).blind_spots.append(SMALL_FREE_BLOCKS)
    return first, second, diagnosis


def as_json(first: Breakdown, second: Breakdown | None, diagnosis: Diagnosis, seconds: float) -> dict[str, Any]:
    """Return what --json prints: the last look, what changed since the first, the verdict."""
    now = second or first
    changes = {name: now.rows[name] - first.rows[name] for name in LABELS} if second else None
    return {**now.as_json(), "seconds": seconds, "changes": changes, "diagnosis": diagnosis.as_json()}


def print_report(first: Breakdown, second: Breakdown | None, diagnosis: Diagnosis, seconds: float) -> None:
    """Print the rows, what they do not show, and the verdict."""
    now = second or first
    rows = []
    for name, label in LABELS.items():
        size_bytes, before_bytes = now.rows[name], first.rows[name]
        if size_bytes or before_bytes:
            rows.append([label, *_cells(size_bytes, before_bytes, now.rss_bytes, second is not None)])
    rows.append(["resident (RSS)", *_cells(now.rss_bytes, first.rss_bytes, now.rss_bytes, second is not None)])
    columns = ["", "MiB", "%", *([f"change in {seconds:g} s"] if second else [])]
    words = shown(" ".join(now.command).strip(), COMMAND_LENGTH_MAX)
    title = f"process {now.process_id}: {words or '(no command line)'}"
    tables.console().print(tables.make_table(title, columns, rows))
    print()
    parts = [
        ("in huge pages", now.huge_page_bytes),
        ("lazily freed (MADV_FREE), still counted", now.lazily_freed_bytes),
        ("swapped out, not counted", now.swap_bytes),
        ("locked (mlock)", now.locked_bytes),
        ("malloc_trim would give back", now.glibc_returnable_bytes),
    ]
    named = [f"{label} {size_bytes / MEBIBYTE:.1f} MiB" for label, size_bytes in parts if size_bytes]
    tables.print_plain(f"PSS {now.pss_bytes / MEBIBYTE:.1f} MiB{''.join(f'; {text}' for text in named)}")
    if text := _what_all_would_give_back(now):
        tables.print_plain(text)
    if "numpy" in now.heavy_libraries and now.arrays_way:
        tables.print_plain(f"NumPy's arrays: {ARRAYS_TEXTS[now.arrays_way]}")
    for text in now.out_of_reach:
        tables.print_plain(f"out of reach of hakmem: {text}")
    for text in now.blind_spots:
        tables.print_plain(f"not seen: {text}")
    print()
    tables.print_plain(f"Verdict: {diagnosis.verdict}")
    tables.print_plain(f"Do: {diagnosis.advice}.")


def _what_all_would_give_back(now: Breakdown) -> str:
    """Return a sentence for a process whose malloc is not served; empty where that would change little."""
    free_bytes = now.rows["glibc_free"]
    # Where as much is locked, that may be what is free.
    if now.malloc_is_served or free_bytes < max(FREE_BYTES_MIN, now.locked_bytes):
        return ""
    command = "hakmem run --all" if now.language == "python" else "hakmem exec"
    return f"The C library holds {free_bytes / MEBIBYTE:.1f} MiB free; under `{command}` it would go back to the OS."


def _cells(size_bytes: int, before_bytes: int, all_bytes: int, has_change: bool) -> list[str]:
    cells = [f"{size_bytes / MEBIBYTE:.1f}", f"{100 * size_bytes / all_bytes:.1f}" if all_bytes else "-"]
    return [*cells, f"{(size_bytes - before_bytes) / MEBIBYTE:+.1f}"] if has_change else cells
