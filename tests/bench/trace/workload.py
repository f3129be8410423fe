"""A program to record: a workload of `make bench-rss`, with marks.

python -m bench.trace.workload INPUTS SCALE WORKLOAD
"""

from __future__ import annotations

import sys
from pathlib import Path

from bench.rss.workloads import WORKLOADS


def main() -> None:
    inputs, scale, name = Path(sys.argv[1]), float(sys.argv[2]), sys.argv[3]
    workload = WORKLOADS[name](scale, inputs)
    workload.prepare()
    # What hakmem.mark does; here hakmem needs not be installed.
    sys.audit("hakmem.mark", "grow")
    workload.grow()
    sys.audit("hakmem.mark", "drop")
    workload.drop()
    sys.audit("hakmem.mark", "grow again")
    workload.grow()
    sys.audit("hakmem.mark", "drop again")
    workload.drop()
    workload.finish()


if __name__ == "__main__":
    main()
