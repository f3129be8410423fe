"""A collector for prometheus-client: hakmem's figures of this process, or of one that serves its stats.

    from prometheus_client import REGISTRY
    from hakmem.measure.prometheus import HakmemCollector

    REGISTRY.register(HakmemCollector())

hakmem_resident_bytes is the kernel's; all other figures are hakmem's own. Reading them takes no lock that a program
waits for.
"""

import os
from collections.abc import Callable, Iterator
from typing import Any

import hakmem
from hakmem.measure import client, kernel
from hakmem.measure.extras import require

# Name of the metric, key of the stats, what it is.
GAUGES = (
    ("live_bytes", "bytes of blocks that the program holds"),
    ("live_blocks", "blocks that the program holds"),
    ("cached_bytes", "bytes of blocks that wait in magazines"),
    ("pinned_bytes", "free bytes in OS pages in which a block lives"),
    ("free_resident_bytes", "bytes of OS pages without a block that may be resident"),
    ("metadata_bytes", "bytes of hakmem's own metadata"),
    ("mapped_bytes", "bytes of address space"),
    ("burst_bound_bytes", "bytes of OS pages that may be free at all"),
    ("superslabs_active", "SuperSlabs in use"),
    ("superslabs_spare", "SuperSlabs that wait for use"),
)
COUNTERS = (
    ("purged_bytes_total", "purged_bytes", "bytes given back to the OS"),
    ("served_requests", "served_requests", "requests that hakmem served"),
    ("passed_requests", "passed_requests", "requests that went to the previous allocator"),
    ("superslabs_born", "superslabs_born", "SuperSlabs mapped"),
    ("superslabs_died", "superslabs_died", "SuperSlabs that became empty"),
    ("regret_bytes_total", "regret_bytes", "bytes given back and missed a moment later"),
    ("learn_tried", "learn_tried", "times that a larger burst bound was tried"),
    ("learn_kept", "learn_kept", "times that a larger burst bound was kept"),
    ("learn_taken_back", "learn_taken_back", "times that a larger burst bound was taken back"),
)


def _own_stats() -> dict[str, Any]:
    return {"pid": os.getpid(), "is_enabled": hakmem.is_enabled(), "stats": hakmem.stats()}


class HakmemCollector:
    """Figures at the moment of the scrape."""

    def __init__(self, tell: Callable[[], dict[str, Any]] = _own_stats) -> None:
        """`tell` returns what client.ask() does; default: this process's figures."""
        self._tell = tell
        self._core = require("prometheus_client.core")

    def collect(self) -> Iterator[Any]:
        """Yield the metrics."""
        told = self._tell()
        stats = told["stats"]
        gauge, counter = self._core.GaugeMetricFamily, self._core.CounterMetricFamily
        yield gauge("hakmem_enabled", "1 while new objects come from hakmem", value=int(told["is_enabled"]))
        resident_bytes = kernel.resident_bytes(told["pid"])
        if resident_bytes is not None:
            text = "resident memory of the process, from the kernel"
            yield gauge("hakmem_resident_bytes", text, value=resident_bytes)
        for key, text in GAUGES:
            yield gauge(f"hakmem_{key}", text, value=stats[key])
        for key, name, text in COUNTERS:
            yield counter(f"hakmem_{name}", text, value=stats[key])


def exposition(process_id: int) -> str:
    """Return the text for a scraper, of a process that serves its stats. Raises MeasureError."""
    told = client.ask(process_id)
    registry = require("prometheus_client").CollectorRegistry(auto_describe=False)
    registry.register(HakmemCollector(lambda: told))
    text: str = require("prometheus_client").generate_latest(registry).decode()
    return text
