"""Runs the files of a suite under stock Python and under hakmem, and reports where tests end differently.

Each file is run in a process of its own, first stock, then hakmem. Where a test ends differently both are run once
more, and what differs the same way again is reported.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

from peer.compare import Comparison, Listed, common, compare
from peer.outcome import TOO_LONG, Outcome

Run = Callable[[str, bool], Outcome]  # of a file, under hakmem or not


def compare_file(run: Run, file: str, listed: Listed) -> Comparison:
    def once() -> Comparison:
        stock = run(file, False)
        if stock.end == TOO_LONG:
            return Comparison(file, stock, stock, listed)  # nothing to compare with
        return compare(file, stock, run(file, True), listed)

    found = once()
    return common(found, once()) if found.unexpected else found


def compare_files(run: Run, files: Iterable[str], listed: Listed, *, jobs: int, result: Path) -> list[Comparison]:
    """`jobs` files at a time, with a line about each as soon as it is done; all outcomes into the file `result`."""

    def timed(file: str) -> tuple[Comparison, float]:
        began = time.monotonic()
        return compare_file(run, file, listed), time.monotonic() - began

    results: list[Comparison] = []
    with ThreadPoolExecutor(jobs) as pool:
        for ended in as_completed([pool.submit(timed, file) for file in files]):
            found, seconds = ended.result()
            results.append(found)
            print(line_of(found, seconds), flush=True)
            result.write_text(as_json(results), encoding="utf-8")
    return sorted(results, key=lambda found: found.file)


def line_of(found: Comparison, seconds: float) -> str:
    counts = f"stock {found.stock.count('passed'):5}, hakmem {found.hakmem.count('passed'):5}"
    return f"{found.file:34} passed: {counts}   {len(found.differences):3} different   {seconds:6.1f} s"


def report(title: str, results: list[Comparison]) -> int:
    """Print each difference with its reason, and the sums; 1 when one has no reason."""
    for found in results:
        for name, (before, after) in found.differences.items():
            reason = found.listed.reason(f"{found.file} {name}")
            if reason or name in found.unexpected:
                print(f"{found.file} {name}: {before} under stock, {after} under hakmem: {reason or 'NOT EXPECTED'}")
        for name, outcome in found.stock.tests.items():
            if f"{found.file} {name}" in found.listed.known and name not in found.differences and outcome != "skipped":
                print(f"{found.file} {name}: {outcome} under both, though listed as different")
    not_compared = [found for found in results if found.stock.ended_early()]
    for found in not_compared:
        print(f"{found.file}: {found.stock.end} under stock: NOT COMPARED")
    unexpected = sum(len(found.unexpected) for found in results)
    ran = sum(len(found.stock.tests) for found in results)
    passed_stock = sum(found.stock.count("passed") for found in results)
    passed_hakmem = sum(found.hakmem.count("passed") for found in results)
    print(
        f"{title}: {len(results)} files, {ran} tests; "
        f"passed: stock {passed_stock}, hakmem {passed_hakmem}; not expected: {unexpected}; "
        f"files not compared: {len(not_compared)}"
    )
    return 1 if unexpected else 0


def as_json(results: list[Comparison]) -> str:
    rows = [
        {
            "file": found.file,
            "stock": {"end": found.stock.end, "tests": found.stock.tests},
            "hakmem": {"end": found.hakmem.end, "tests": found.hakmem.tests},
            "differences": found.differences,
            "unexpected": found.unexpected,
        }
        for found in results
    ]
    return json.dumps({"python": sys.version, "files": rows}, indent=1)
