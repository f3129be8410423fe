"""CPython's own tests under hakmem and under stock, the part that fits into every run; and how differences are judged.

All of them: make peer-cpython FULL=1.
"""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest
from peer.compare import common, compare
from peer.cpython.known import KNOWN, LISTED
from peer.outcome import TOO_LONG, Outcome
from peer.side_by_side import report

# What allocates in the most different ways, threads and forks, and files that inspect the allocator.
FILES = "test_bytes test_cmd_line test_dict test_fork1 test_gc test_list test_set test_sys test_thread test_tracemalloc"


@pytest.mark.skipif(importlib.util.find_spec("test.test_gc") is None, reason="this Python came without its tests")
def test_part_of_the_suite_ends_as_on_stock(tmp_path: Path, repository: Path) -> None:
    command = [sys.executable, "-m", "peer.cpython", "--out", "peer", "--only", *FILES.split()]
    environment = {**os.environ, "PYTHONPATH": str(repository / "tests")}
    result = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=900)
    assert result.returncode == 0, result.stdout + result.stderr
    *_, last = result.stdout.splitlines()
    assert f": {len(FILES.split())} files, " in last
    assert "passed: stock 0," not in last


def outcome(end: str = "exit code 0", **tests: str) -> Outcome:
    return Outcome(end, {f"Case.test_{name}": how for name, how in tests.items()})


@pytest.mark.parametrize(
    ("stock", "hakmem", "unexpected"),
    [
        (outcome(a="passed"), outcome(a="passed"), set()),
        (outcome(a="passed"), outcome("exit code 2", a="failed"), {"Case.test_a"}),
        (outcome(a="passed"), outcome(), {"Case.test_a"}),
        (outcome(a="passed"), outcome("killed by SIGSEGV"), {"Case.test_a", "(the process)"}),
        (outcome(a="passed"), outcome(TOO_LONG, a="passed"), {"(the process)"}),
        (outcome("exit code 2", a="failed"), outcome(a="passed"), {"Case.test_a"}),
        (outcome(TOO_LONG), outcome("killed by SIGSEGV"), set()),
    ],
)
def test_differences_are_seen(stock: Outcome, hakmem: Outcome, unexpected: set[str]) -> None:
    found = compare("test_it", stock, hakmem, LISTED)
    assert found.unexpected.keys() == unexpected
    assert common(found, compare("test_it", stock, stock, LISTED)).unexpected == {}
    assert common(found, found).unexpected.keys() == unexpected


def test_report_names_what_is_listed_and_no_longer_differs(capsys: pytest.CaptureFixture[str]) -> None:
    name = "test_sys SysModuleTest.test_debugmallocstats"
    module, _, test = name.partition(" ")
    passed, failed = Outcome("exit code 0", {test: "passed"}), Outcome("exit code 2", {test: "failed"})
    same, differs = compare(module, passed, passed, LISTED), compare(module, passed, failed, LISTED)
    assert report("CPython", [differs]) == 0
    assert KNOWN[name] in capsys.readouterr().out
    assert report("CPython", [same]) == 0
    assert f"{name}: passed under both, though listed as different" in capsys.readouterr().out
