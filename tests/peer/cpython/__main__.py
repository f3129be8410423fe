"""Runs CPython's own test suite under hakmem and under stock Python and compares test by test.

    make peer-cpython [FULL=1] [ALL=1] [PEER_ARGS="--only test_gc test_dict"]

Each file is run in a process of its own, first stock, then hakmem, two files at a time: many of them wait. Where a test
ends differently both are run once more, and what differs the same way again is reported. The exit code is 1 when a
difference is not among those to be expected (known.py).
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

from peer.cpython.compare import Comparison, common, compare
from peer.cpython.known import KNOWN, UNSTEADY
from peer.cpython.modules import all_modules, representative_modules
from peer.cpython.outcome import TOO_LONG, heed_signals, run_module
from peer.cpython.prepare import prepare


def compare_module(python: str, library: Path | None, module: str) -> Comparison:
    def once() -> Comparison:
        stock = run_module(python, module, is_hakmem=False, library=library)
        if stock.end == TOO_LONG:
            return Comparison(module, stock, stock)  # nothing to compare with
        return compare(module, stock, run_module(python, module, is_hakmem=True, library=library))

    found = once()
    return common(found, once()) if found.unexpected else found


def timed(python: str, library: Path | None, module: str) -> tuple[Comparison, float]:
    began = time.monotonic()
    return compare_module(python, library, module), time.monotonic() - began


def line_of(found: Comparison, seconds: float) -> str:
    counts = f"stock {found.stock.count('passed'):5}, hakmem {found.hakmem.count('passed'):5}"
    return f"{found.module:34} passed: {counts}   {len(found.differences):3} different   {seconds:6.1f} s"


def report(results: list[Comparison]) -> int:
    for found in results:
        for name, (before, after) in found.differences.items():
            full_name = f"{found.module} {name}"
            reason = KNOWN.get(full_name) or UNSTEADY.get(full_name)
            if reason or name in found.unexpected:
                print(f"{full_name}: {before} under stock, {after} under hakmem: {reason or 'NOT EXPECTED'}")
        for name, outcome in found.stock.tests.items():
            if f"{found.module} {name}" in KNOWN and name not in found.differences and outcome != "skipped":
                print(f"{found.module} {name}: {outcome} under both, though listed as different")
    unexpected = sum(len(found.unexpected) for found in results)
    ran = sum(len(found.stock.tests) for found in results)
    passed_stock = sum(found.stock.count("passed") for found in results)
    passed_hakmem = sum(found.hakmem.count("passed") for found in results)
    print(
        f"CPython {sys.version.split()[0]}: {len(results)} files, {ran} tests; "
        f"passed: stock {passed_stock}, hakmem {passed_hakmem}; not expected: {unexpected}"
    )
    return 1 if unexpected else 0


def as_json(results: list[Comparison]) -> str:
    rows = [
        {
            "module": found.module,
            "stock": {"end": found.stock.end, "tests": found.stock.tests},
            "hakmem": {"end": found.hakmem.end, "tests": found.hakmem.tests},
            "differences": found.differences,
            "unexpected": found.unexpected,
        }
        for found in results
    ]
    return json.dumps({"python": sys.version, "modules": rows}, indent=1)


def main() -> int:
    parser = argparse.ArgumentParser(prog="peer.cpython", description=__doc__.splitlines()[0])
    parser.add_argument("--full", action="store_true", help="every file of the suite, more than an hour")
    parser.add_argument("--all", action="store_true", help="malloc is served, too, by the preloaded library")
    parser.add_argument("--only", nargs="+", metavar="FILE", help="these files, for example test_gc")
    parser.add_argument("--jobs", type=int, default=2, help="files at a time")
    parser.add_argument("--out", type=Path, required=True, help="folder of the virtual environment and result.json")
    arguments = parser.parse_args()

    heed_signals()
    arguments.out = arguments.out.absolute()  # each file of the suite runs in a folder of its own
    python, library = prepare(arguments.out / "venv", with_malloc=arguments.all)
    modules = arguments.only or (all_modules(python) if arguments.full else representative_modules(python))
    results = []
    with ThreadPoolExecutor(arguments.jobs) as pool:
        running = [pool.submit(timed, python, library, module) for module in modules]
        for ended in as_completed(running):
            found, seconds = ended.result()
            results.append(found)
            print(line_of(found, seconds), flush=True)
            (arguments.out / "result.json").write_text(as_json(results), encoding="utf-8")
    return report(sorted(results, key=lambda found: found.module))


if __name__ == "__main__":
    sys.exit(main())
