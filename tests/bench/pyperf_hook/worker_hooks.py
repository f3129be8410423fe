"""Hooks of pyperf, for each worker process: what served it and its cpu time; and the allocator that only forwards."""

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


class PassThrough:
    """Not in what the worker starts: python_startup's interpreters have none of it."""

    def __init__(self) -> None:
        sys.path.append(os.environ["BENCH_PASS_THROUGH"])  # the folder of the benchmarks' extension
        importlib.import_module("_hakmem_bench").install_pass_through()

    def __enter__(self) -> None: ...

    def __exit__(self, *_unused: object) -> None: ...

    def teardown(self, metadata: dict[str, str | int | float]) -> None: ...
