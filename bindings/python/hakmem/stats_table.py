"""The stats table that `hakmem run --stats` and HAKMEM_STATS_AT_EXIT=1 print. Formats; measures nothing."""

import sys

import hakmem
from hakmem import _hakmem

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hakmem import Stats


def print_stats_table() -> None:
    """Print the table of this process to the real stderr; a program that closed it, or took it away, gets none."""
    stream = getattr(sys, "__stderr__", None)
    if stream is None:
        return
    figures = hakmem.stats()  # before formatting, which allocates
    try:
        stream.write(stats_table(figures, _hakmem.malloc_is_served(), hakmem.is_enabled()))
        stream.flush()
    except (OSError, ValueError, AttributeError, TypeError):
        pass  # nobody reads stderr any more; it is closed, or no stream of text


def stats_table(figures: "Stats", malloc_is_served: bool, is_enabled: bool) -> str:
    """Return the table as text, one figure per line."""
    lines = ["hakmem: stats"]
    if malloc_is_served:
        served = "Python's objects, and malloc" if is_enabled else "malloc"
        lines.append(f"  {'served':<22}{served}")
    for label, text in _figure_rows(figures):
        lines.append(f"  {label:<22}{text}")
    lines.append(f"  {'block bytes':>11}{'live':>14}{'cached':>14}{'free':>14}{'slabs':>8}")
    for row in figures["classes"]:
        if row["slabs"]:
            lines.append(
                f"  {row['block_bytes']:>11,}{row['live']:>14,}{row['cached']:>14,}{row['free']:>14,}{row['slabs']:>8,}"
            )
    for name, value in figures["counters"].items():
        if value:
            lines.append(f"  {name:<32}{value:>18,}")
    return "\n".join(lines) + "\n"


def _figure_rows(figures: "Stats") -> list[tuple[str, str]]:
    return [
        ("requests served", _part(figures["served_requests"], figures["passed_requests"])),
        ("requests passed", f"{figures['passed_requests']:,}"),
        ("bytes served", _served_bytes(figures)),
        ("bytes passed", f"{figures['passed_bytes']:,}"),
        ("live", f"{figures['live_bytes']:,} bytes in {figures['live_blocks']:,} blocks"),
        ("cached", f"{figures['cached_bytes']:,} bytes"),
        ("pinned", f"{figures['pinned_bytes']:,} bytes"),
        ("free, resident", f"{figures['free_resident_bytes']:,} bytes"),
        ("unbacked", f"{figures['unbacked_bytes']:,} bytes"),
        ("mapped", f"{figures['mapped_bytes']:,} bytes, and {figures['metadata_bytes']:,} of metadata"),
        (
            "superslabs",
            f"{figures['superslabs_active']:,} active, {figures['superslabs_spare']:,} spare, "
            f"{figures['superslabs_born']:,} born, {figures['superslabs_died']:,} died",
        ),
        ("given back", f"{figures['purged_bytes_total']:,} bytes"),
        ("burst bound", f"{figures['burst_bound_bytes']:,} bytes; {_learned(figures)}"),
    ]


def _learned(figures: "Stats") -> str:
    return (
        f"{figures['regret_bytes_total']:,} bytes missed; "
        f"more tried {figures['learn_tried']:,}, kept {figures['learn_kept']:,}, "
        f"taken back {figures['learn_taken_back']:,} times"
    )


def _served_bytes(figures: "Stats") -> str:
    if not figures["counters"]:
        return "not counted (HAKMEM_COUNTERS=1 counts them)"
    return _part(figures["served_bytes"], figures["passed_bytes"])


def _part(served: int, passed: int) -> str:
    if served + passed == 0:
        return "0"
    return f"{served:,} ({100 * served / (served + passed):.2f} % of all)"
