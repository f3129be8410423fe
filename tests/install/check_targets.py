"""Runs the documented targets that take too long for the normal test run, each within a time.

    make check-targets          or: python tests/install/check_targets.py [TARGET...], for instance: fuzz tidy

Prints a line per target, and the end of what a failed one printed. A target for which this machine lacks something says
so. Exit code 1 if one failed. The rest of the targets is run by `make test` (test_documented.py).
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

from documented import LONG, TARGETS
from run_target import run_target

REPOSITORY = Path(__file__).resolve().parents[2]
LINES_OF_A_FAILURE = 60


def main(words: list[str]) -> int:
    rows = {target: row for target, row in TARGETS.items() if row.check == LONG}
    unknown = [word for word in words if f"make {word}" not in rows]
    if unknown:
        names = ", ".join(target.removeprefix("make ") for target in rows)
        print(f"error: {unknown[0]!r} is not among the targets that are run here: {names}", file=sys.stderr)
        return 2
    outcomes = []
    for target, row in rows.items():
        if words and target.removeprefix("make ") not in words:
            continue
        began = time.monotonic()
        result = run_target(row, REPOSITORY, sys.executable)
        print(f"{row.run}: {result.outcome}, {time.monotonic() - began:.0f} s", flush=True)
        if result.outcome == "failed":
            print("\n".join(f"    {line}" for line in result.output.splitlines()[-LINES_OF_A_FAILURE:]))
        outcomes.append(result.outcome)
    counts = {name: outcomes.count(name) for name in ("ok", "failed")}
    cannot = len(outcomes) - sum(counts.values())
    print(f"{len(outcomes)} targets: {counts['ok']} ok, {counts['failed']} failed, {cannot} cannot run here")
    return 1 if counts["failed"] else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
