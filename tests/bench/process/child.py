"""The measured process: runs one workload, standing still at each mark until it is told to go on.

python -m bench.process.child WORKLOAD SCALE INPUTS KEPT_PERCENT, or "write" instead of the last: the input alone
"""

from __future__ import annotations

import sys
from pathlib import Path

from bench.process.workloads import WORKLOADS
from bench.shared.workload import run_with_marks


def main() -> None:
    name, scale, inputs, kept_percent = sys.argv[1:]
    kind = WORKLOADS[name].load()
    if kept_percent == "write":
        kind(float(scale), Path(inputs), 0).write_input_once()
    else:
        run_with_marks(kind(float(scale), Path(inputs), float(kept_percent) / 100))


if __name__ == "__main__":
    main()
