"""Runs one file of a suite in a process of its own and says how each of its tests ended."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

TOO_LONG = "took too long"


@dataclass
class Outcome:
    """`tests` maps "Class.method" to passed, skipped or failed; `end` is how the process ended."""

    end: str
    tests: dict[str, str] = field(default_factory=dict)

    def ended_early(self) -> bool:
        """It was ended: for its time, by a signal, by the kernel for want of memory."""
        return not self.end.startswith("exit code")

    def count(self, how: str) -> int:
        return sum(outcome == how for outcome in self.tests.values())


def environment(is_hakmem: bool, library: Path | None = None) -> dict[str, str]:
    """`library`: preloaded for the test and for all its children, so that malloc is served, too."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("HAKMEM", "PYTHON"))}
    kept["HAKMEM"] = "1" if is_hakmem else "0"
    kept.pop("MAKEFLAGS", None)
    if is_hakmem and library is not None:
        kept["LD_PRELOAD"] = str(library)
    return kept


def run_to_its_end(command: list[str], folder: Path, variables: dict[str, str], seconds: float) -> str:
    """How it ended; whatever it started ends with it."""
    process = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=variables,
        cwd=folder,
        start_new_session=True,
    )
    try:
        process.wait(seconds)
        return end_of(process.returncode)
    except subprocess.TimeoutExpired:
        return TOO_LONG
    finally:
        kill_session(process.pid)
        process.wait()


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


def read_report(report: Path, name_of: Callable[[ElementTree.Element], str]) -> dict[str, str]:
    """The outcomes of a report in JUnit's form; empty where the process ended before it wrote one."""
    tests: dict[str, str] = {}
    if not report.is_file():
        return tests
    for case in ElementTree.parse(report).iter("testcase"):
        name = re.sub("0x[0-9a-f]+", "0x", name_of(case))  # an address differs from run to run
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
