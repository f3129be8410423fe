"""A hook of pyperf that notes, in each worker process, which allocator served it and the cpu time of its timings.

Where BENCH_PASS_THROUGH names the folder of the benchmarks' extension, it installs the hook that only forwards. That
comes when the interpreter has started, and not into children: python_startup has none of it.
"""

from __future__ import annotations

import importlib
import os
import re
import resource
import statistics
import sys
from pathlib import Path

NONE = "none"  # pyperf takes no empty text


def cpu_seconds() -> float:
    """Of this process and of its children that ended."""
    both = (resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in both)


class AllocatorCheck:
    """`with` surrounds each timing: as many loops of a benchmark as make one value."""

    def __init__(self) -> None:
        folder = os.environ.get("BENCH_PASS_THROUGH")
        if folder:
            sys.path.append(folder)
            importlib.import_module("_hakmem_bench").install_pass_through()
        self._before = 0.0
        self._timings: list[float] = []

    def __enter__(self) -> AllocatorCheck:
        self._before = cpu_seconds()
        return self

    def __exit__(self, *_unused: object) -> None:
        self._timings.append(cpu_seconds() - self._before)

    def teardown(self, metadata: dict[str, str | int | float]) -> None:
        metadata["allocator_cpu_seconds"] = statistics.median(self._timings)
        maps = Path("/proc/self/maps").read_text()
        files = set(re.findall(r"/(_hakmem(?:_bench)?\.[^/\n]*|lib(?:mimalloc|jemalloc)[^/\n]*)$", maps, re.MULTILINE))
        metadata["allocator_files"] = " ".join(sorted(files)) or NONE
        metadata["allocator_pythonmalloc"] = os.environ.get("PYTHONMALLOC") or NONE
        hakmem = sys.modules.get("hakmem")
        if hakmem is not None:
            metadata["allocator_hakmem_enabled"] = int(hakmem.is_enabled())
            metadata["allocator_hakmem_requests"] = hakmem.stats()["served_requests"]
