"""The measured process of part (a): runs hot loops and prints JSON.

    python -m bench.speed.loops_child EXTENSION_FOLDER BATCHES PAIRS PATTERN_INDEX...

{pattern: {"pairs": pairs per batch, "ns": [ns per pair of each batch]}}
"""

from __future__ import annotations

import gc
import json
import sys
from pathlib import Path

from bench.shared import extension


def main() -> None:
    folder, batches, pairs, *indices = sys.argv[1:]
    module = extension.load(Path(folder))
    names = module.patterns()
    gc.disable()
    result = {}
    for index in map(int, indices):
        pairs_per_batch, times = module.run_pattern(index, int(batches), int(pairs))
        result[names[index]] = {"pairs": pairs_per_batch, "ns": times}
    print(json.dumps(result), flush=True)


if __name__ == "__main__":
    main()
