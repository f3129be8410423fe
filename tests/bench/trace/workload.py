"""A program to record: a workload of `make bench-rss` or of programs.py, with marks.

python -m bench.trace.workload INPUTS SCALE WORKLOAD
"""

from __future__ import annotations

import sys
from pathlib import Path

from bench.rss.workloads import WORKLOADS
from bench.trace.programs import PROGRAMS


def mark(text: str) -> None:
    """What hakmem.mark does; here hakmem needs not be installed."""
    sys.audit("hakmem.mark", text)


def main() -> None:
    inputs, scale, name = Path(sys.argv[1]), float(sys.argv[2]), sys.argv[3]
    kind = PROGRAMS[name][0] if name in PROGRAMS else WORKLOADS[name]
    workload = kind(scale, inputs)
    workload.prepare()
    mark("grow")
    workload.grow()
    mark("drop")
    workload.drop()
    mark("idle")
    mark("grow again")
    workload.grow()
    mark("drop again")
    workload.drop()
    mark("idle again")
    workload.finish()


if __name__ == "__main__":
    main()
