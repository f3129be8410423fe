"""What a process tells of itself through its socket: read as what anybody may have written.

Whoever has the process's number writes the answer, so that it may be another program's, or of another version. Those
that show it rely on what is checked here: figures are whole numbers, and names of counters are words.
"""

import json
from typing import Any

from hakmem._types import ClassStats, Stats
from hakmem.measure import server

FIGURE_MAX = 2**64 - 1
TEXTS = ("python", "hakmem")


def parse(content: bytes) -> dict[str, Any] | None:
    """Return the JSON object of an answer; None where it is none, or was broken off."""
    try:
        told = json.loads(content)
    except (ValueError, RecursionError):
        return None
    return told if isinstance(told, dict) else None


def is_understood(told: dict[str, Any]) -> bool:
    """Tell whether all that is shown of an answer is there, and is what it is taken for."""
    return (
        told.get("hakmem_process") == server.FORMAT
        and isinstance(told.get("is_enabled"), bool)
        and all(isinstance(told.get(name), str) for name in TEXTS)
        and _are_stats(told.get("stats"))
    )


def _are_stats(stats: Any) -> bool:
    if not isinstance(stats, dict):
        return False
    figures = [name for name in Stats.__annotations__ if name not in ("classes", "counters")]
    classes, counters = stats.get("classes"), stats.get("counters")
    return (
        all(_is_figure(stats.get(name)) for name in figures)
        and isinstance(classes, list)
        and all(isinstance(row, dict) and _has_figures(row) for row in classes)
        and isinstance(counters, dict)
        and all(name.isascii() and name.isidentifier() and _is_figure(value) for name, value in counters.items())
    )


def _has_figures(row: dict[str, Any]) -> bool:
    return all(_is_figure(row.get(name)) for name in ClassStats.__annotations__)


def _is_figure(value: Any) -> bool:
    return type(value) is int and 0 <= value <= FIGURE_MAX
