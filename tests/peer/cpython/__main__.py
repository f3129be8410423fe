"""Runs CPython's own test suite under hakmem and under stock Python and compares test by test.

    make peer-cpython [FULL=1] [ALL=1] [PEER_ARGS="--only test_gc test_dict"]

Two files at a time: many of them wait. The exit code is 1 when a difference is not among those to be expected
(known.py).
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from peer.cpython.known import LISTED
from peer.cpython.modules import all_modules, representative_modules
from peer.cpython.run_file import run_file
from peer.outcome import Outcome, heed_signals
from peer.prepare import prepare
from peer.side_by_side import compare_files, report


def main() -> int:
    parser = argparse.ArgumentParser(prog="peer.cpython", description=__doc__.splitlines()[0])
    parser.add_argument("--full", action="store_true", help="every file of the suite, more than an hour")
    parser.add_argument("--all", action="store_true", help="malloc is served, too, by the preloaded library")
    parser.add_argument("--only", nargs="+", metavar="FILE", help="these files, for example test_gc")
    parser.add_argument("--jobs", type=int, default=2, help="files at a time")
    parser.add_argument("--out", type=Path, required=True, help="folder of the virtual environment and result.json")
    arguments = parser.parse_args()

    heed_signals()
    out = arguments.out.absolute()  # each file of the suite runs in a folder of its own
    python, library = prepare(out / "venv", with_malloc=arguments.all)
    files = arguments.only or (all_modules(python) if arguments.full else representative_modules(python))

    def run(file: str, is_hakmem: bool) -> Outcome:
        return run_file(python, file, is_hakmem=is_hakmem, library=library)

    results = compare_files(run, files, LISTED, jobs=arguments.jobs, result=out / "result.json")
    return report(f"CPython {sys.version.split()[0]}", results)


if __name__ == "__main__":
    sys.exit(main())
