"""Starts gunicorn with one worker of 30 threads, which is the process that is measured, and sends it the requests.

python -m bench.arrays.csv_client SCALE FOLDER COMMAND...      COMMAND is what stands before `-m gunicorn`
"""

from __future__ import annotations

import json
import os
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from bench.arrays.csv_file import FILE_BYTES, FILE_VARIABLE, write_file
from bench.shared.gunicorn import gunicorn
from bench.shared.workload import SETTLE_SECONDS, stand_still

THREADS = 30
REQUESTS, AT_A_TIME = 20, 4


def main() -> None:
    scale, folder, *command = sys.argv[1:]
    path = Path(folder) / f"rows-{scale}.csv"
    if not path.exists():
        unfinished = path.with_suffix(".part")
        write_file(unfinished, int(FILE_BYTES * float(scale)))
        unfinished.rename(path)
    os.environ[FILE_VARIABLE] = str(path)
    with gunicorn(command, "bench.arrays.csv_application", ["--threads", str(THREADS)]) as server:
        time.sleep(SETTLE_SECONDS)
        stand_still(f"base {server.worker}")
        with ThreadPoolExecutor(AT_A_TIME) as clients:
            answers = set(clients.map(server.get, ["/rows"] * REQUESTS))
        stand_still("held")
        stand_still("dropped")
    print(json.dumps({"digest": " ".join(sorted(answer.decode() for answer in answers))}), flush=True)


if __name__ == "__main__":
    main()
