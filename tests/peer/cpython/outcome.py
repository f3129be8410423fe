"""Runs one file of CPython's test suite and says how each of its tests ended."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import tempfile
import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass, field
from pathlib import Path

TIMEOUT_SECONDS = 600
TOO_LONG = "took too long"


@dataclass
class Outcome:
    """`tests` maps "Class.method" to passed, skipped or failed; `end` is how the process ended."""

    end: str
    tests: dict[str, str] = field(default_factory=dict)

    def count(self, how: str) -> int:
        return sum(outcome == how for outcome in self.tests.values())


def environment(is_hakmem: bool, library: Path | None) -> dict[str, str]:
    """`library`: preloaded for the test and for all its children, so that malloc is served, too."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("HAKMEM", "PYTHON"))}
    kept["HAKMEM"] = "1" if is_hakmem else "0"
    kept.pop("MAKEFLAGS", None)
    if is_hakmem and library is not None:
        kept["LD_PRELOAD"] = str(library)
    return kept


def run_module(python: str, module: str, *, is_hakmem: bool, library: Path | None) -> Outcome:
    with tempfile.TemporaryDirectory(prefix="peer-cpython-") as folder:
        report = Path(folder, "report.xml")
        command = [python, "-m", "test", "--junit-xml", str(report), "--tempdir", folder, module]
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=environment(is_hakmem, library),
            cwd=folder,
            start_new_session=True,
        )
        try:
            process.wait(TIMEOUT_SECONDS)
            end = end_of(process.returncode)
        except subprocess.TimeoutExpired:
            end = TOO_LONG
        finally:
            kill_session(process.pid)
            process.wait()
        return Outcome(end, read_report(report) if report.is_file() else {})


def heed_signals() -> None:
    """A shell's background job ignores some signals, and so do its children: the tests of them would wait for ever."""
    for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)


def kill_session(leader: int) -> None:
    """What a test left running must not disturb the next one."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(leader, signal.SIGKILL)


def end_of(return_code: int) -> str:
    if return_code < 0:
        return f"killed by {signal.Signals(-return_code).name}"
    return f"exit code {return_code}"


def read_report(report: Path) -> dict[str, str]:
    tests: dict[str, str] = {}
    for case in ElementTree.parse(report).iter("testcase"):
        name = name_of(case.get("name", ""))
        if not name:
            continue  # a failed subtest; its test is then missing from the report
        if case.find("failure") is not None or case.find("error") is not None:
            outcome = "failed"
        elif case.find("skipped") is not None or case.get("result") == "skipped":
            outcome = "skipped"
        else:
            outcome = "passed"
        # A test with the same name in two files of a package: the worse one counts.
        if tests.get(name) != "failed":
            tests[name] = outcome
    return tests


def name_of(full_name: str) -> str:
    """ "test.test_gc.GCTests.test_list" and "setUpClass (test.test_gc.GCTests)" keep their last two words."""
    if "(" in full_name:
        return full_name
    return ".".join(full_name.split(".")[-2:])
