"""The measured process: runs one workload, standing still at each mark until it is told to go on.

    python -m bench.rss.child WORKLOAD SCALE INPUTS

Writes the marks base, held and dropped to standard output, then one line of JSON: the digest of the survivors and,
under hakmem, its figures at the base and after the idle time.
"""

from __future__ import annotations

import gc
import json
import os
import sys
import time
from pathlib import Path

from bench.rss.workloads import WORKLOADS

SETTLE_SECONDS = 0.4  # what `prepare` left behind is given back by then


def stand_still(mark: str) -> None:
    os.write(1, mark.encode() + b"\n")
    os.read(0, 1)


def hakmem_stats() -> dict[str, int] | None:
    hakmem = sys.modules.get("hakmem")
    if hakmem is None:
        return None
    if not hakmem.is_enabled():
        raise SystemExit("hakmem is not in force")
    return {name: value for name, value in hakmem.stats().items() if isinstance(value, int)}


def main() -> None:
    name, scale, inputs = sys.argv[1:]
    workload = WORKLOADS[name](float(scale), Path(inputs))
    workload.prepare()
    gc.collect()
    time.sleep(SETTLE_SECONDS)
    base = hakmem_stats()
    stand_still("base")
    workload.grow()
    stand_still("held")
    workload.drop()
    stand_still("dropped")
    idle = hakmem_stats()
    workload.finish()
    print(json.dumps({"digest": workload.digest(), "hakmem_base": base, "hakmem_idle": idle}), flush=True)


if __name__ == "__main__":
    main()
