"""The measured process: runs one workload, standing still at each mark until it is told to go on.

python -m bench.rss.child WORKLOAD SCALE INPUTS
"""

from __future__ import annotations

import sys
from pathlib import Path

from bench.rss.workloads import WORKLOADS
from bench.shared.workload import run_with_marks


def main() -> None:
    name, scale, inputs = sys.argv[1:]
    run_with_marks(WORKLOADS[name](float(scale), Path(inputs)))


if __name__ == "__main__":
    main()
