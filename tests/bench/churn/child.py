"""The measured process: runs one program of Python, standing still at each mark until it is told to go on.

python -m bench.churn.child NAME SCALE
"""

from __future__ import annotations

import sys
from pathlib import Path

from bench.churn.changing import CHANGING
from bench.churn.more_programs import MORE_PROGRAMS
from bench.churn.programs import PROGRAMS
from bench.shared.workload import Workload, run_with_marks


def main() -> None:
    name, scale = sys.argv[1:]
    known: dict[str, type[Workload]] = {**PROGRAMS, **MORE_PROGRAMS, **CHANGING}
    run_with_marks(known[name](float(scale), Path()))


if __name__ == "__main__":
    main()
