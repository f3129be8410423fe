"""The timed process: does one operation with arrays of all sizes, from the smallest, ROUNDS rounds of each.

python -m bench.arrays.times_child OPERATION ROUNDS SIZES_BYTES
"""

from __future__ import annotations

import gc
import json
import sys
import time

import numpy

from bench.arrays.operations import OPERATIONS, repeats
from bench.shared.workload import SETTLE_SECONDS, stand_still


def main() -> None:
    name, rounds, sizes = sys.argv[1:]
    gc.collect()
    time.sleep(SETTLE_SECONDS)
    stand_still("base")
    for size_bytes in map(int, sizes.split(",")):
        operation, times = OPERATIONS[name](size_bytes // 8), range(repeats(name, size_bytes))
        for _ in range(int(rounds)):
            began = time.process_time()
            for _ in times:
                operation()
            stand_still(f"{time.process_time() - began:.7f}")
    print(json.dumps({"digest": numpy.__version__}), flush=True)


if __name__ == "__main__":
    main()
