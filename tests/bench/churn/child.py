"""The measured process: runs one program of Python, standing still at each mark until it is told to go on.

python -m bench.churn.child NAME SCALE [by-turns]        by-turns: a mark after each round, its processor seconds
"""

from __future__ import annotations

import gc
import json
import sys
import time
from pathlib import Path

from bench.churn.changing import CHANGING
from bench.churn.more_programs import MORE_PROGRAMS
from bench.churn.programs import PROGRAMS, SERVICES
from bench.churn.rounds import Rounds
from bench.shared.workload import SETTLE_SECONDS, Workload, run_with_marks, stand_still


def run_by_turns(program: Rounds) -> None:
    program.prepare()
    gc.collect()
    time.sleep(SETTLE_SECONDS)
    stand_still("base")
    for number in program.numbers():
        began = time.process_time()
        program.run_round(number)
        stand_still(f"{time.process_time() - began:.7f}")
    program.finish()
    print(json.dumps({"digest": program.digest()}), flush=True)


def main() -> None:
    name, scale, *way = sys.argv[1:]
    if way == ["by-turns"]:
        run_by_turns((PROGRAMS | SERVICES | MORE_PROGRAMS)[name](float(scale), Path()))
        return
    known: dict[str, type[Workload]] = {**PROGRAMS, **SERVICES, **MORE_PROGRAMS, **CHANGING}
    run_with_marks(known[name](float(scale), Path()))


if __name__ == "__main__":
    main()
