"""Starts gunicorn with one worker, which is the process that is measured, and sends it the requests.

python -m bench.churn.web_client SCALE COMMAND...       COMMAND is what stands before `-m gunicorn`
"""

from __future__ import annotations

import hashlib
import json
import random
import sys
import time

from bench.shared.gunicorn import gunicorn
from bench.shared.workload import SETTLE_SECONDS, stand_still

REQUESTS = 250
ROWS_MIN, ROWS_MAX = 1_000, 100_000


def main() -> None:
    scale, *command = sys.argv[1:]
    generator = random.Random(7)
    share = ROWS_MAX / ROWS_MIN
    counts = [int(ROWS_MIN * share ** generator.random()) for _ in range(max(1, int(REQUESTS * float(scale))))]
    digest = hashlib.sha256()
    with gunicorn(command, "bench.churn.application") as server:
        time.sleep(SETTLE_SECONDS)
        stand_still(f"base {server.worker}")
        for rows in counts:
            digest.update(server.get(f"/?rows={rows}"))
        stand_still("held")
        stand_still("dropped")
    print(json.dumps({"digest": digest.hexdigest()[:16]}), flush=True)


if __name__ == "__main__":
    main()
