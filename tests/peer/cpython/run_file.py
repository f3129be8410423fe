"""Runs one file of CPython's test suite."""

from __future__ import annotations

import tempfile
import xml.etree.ElementTree as ElementTree
from pathlib import Path

from peer.outcome import Outcome, environment, read_report, run_to_its_end

TIMEOUT_SECONDS = 600


def run_file(python: str, file: str, *, is_hakmem: bool, library: Path | None) -> Outcome:
    with tempfile.TemporaryDirectory(prefix="peer-cpython-") as folder:
        report = Path(folder, "report.xml")
        command = [python, "-m", "test", "--junit-xml", str(report), "--tempdir", folder, file]
        end = run_to_its_end(command, Path(folder), environment(is_hakmem, library), TIMEOUT_SECONDS)
        return Outcome(end, read_report(report, name_of))


def name_of(case: ElementTree.Element) -> str:
    """ "test.test_gc.GCTests.test_list" and "setUpClass (test.test_gc.GCTests)" keep their last two words."""
    full_name = case.get("name", "")
    if "(" in full_name:
        return full_name
    return ".".join(full_name.split(".")[-2:])
