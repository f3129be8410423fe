"""Runs the own tests of NumPy, pandas, lxml, SQLAlchemy under `hakmem run --all` and under stock Python, and compares.

    make peer-packages [PEER_ARGS="--packages numpy lxml --only test_loadtxt test_etree --without-malloc"]

pip fetches the newest version of each that there is for this Python. Hashes and the examples of hypothesis are the same
in both runs. The exit code is 1 when a difference is not among those to be expected (suites.py).
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
import xml.etree.ElementTree as ElementTree
from pathlib import Path

from peer.compare import Comparison
from peer.outcome import Outcome, environment, heed_signals, read_report, run_to_its_end
from peer.packages.places import files_of_tests, folder_of_tests, install, version_of
from peer.packages.suites import LISTED, SUITES, Suite
from peer.prepare import prepare
from peer.side_by_side import compare_files, report

TIMEOUT_SECONDS = 3600
UNDER_HAKMEM = ["-m", "hakmem", "run", "--require"]
WITH_MALLOC = ["--all", "--children"]


def run_file(python: str, suite: Suite, folder: Path, file: str, launcher: list[str]) -> Outcome:
    """Without a launcher under stock Python."""
    with tempfile.TemporaryDirectory(prefix="peer-packages-") as scratch:
        if not suite.is_installed:  # its tests write into their folder, and others run at the same time
            folder = shutil.copytree(folder, Path(scratch, "suite"), symlinks=True)
        junit = Path(scratch, "report.xml")
        command = [python, *launcher, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
        command += [f"--junit-xml={junit}", f"--basetemp={scratch}/tmp", f"--rootdir={folder}"]
        command += [*suite.options, str(folder / file)]
        variables = environment(bool(launcher)) | {"PYTHONHASHSEED": "0", "TMPDIR": scratch, **suite.variables}
        # The installed packages are no folder to write into.
        end = run_to_its_end(command, Path(scratch) if suite.is_installed else folder, variables, TIMEOUT_SECONDS)
        return Outcome(end, read_report(junit, name_of))


def name_of(case: ElementTree.Element) -> str:
    return f"{case.get('classname', '')}.{case.get('name', '')}"


def main() -> int:
    parser = argparse.ArgumentParser(prog="peer.packages", description=__doc__.splitlines()[0])
    parser.add_argument("--packages", nargs="+", choices=list(SUITES), default=list(SUITES), metavar="NAME")
    parser.add_argument("--only", nargs="+", metavar="WORD", default=[""], help="files whose paths have one of these")
    parser.add_argument("--without-malloc", action="store_true", help="under `hakmem run`: objects and arrays alone")
    parser.add_argument("--jobs", type=int, default=2, help="files at a time")
    parser.add_argument("--out", type=Path, required=True, help="folder of the virtual environment and the results")
    arguments = parser.parse_args()

    heed_signals()
    out = arguments.out.absolute()
    python, _ = prepare(out / "venv", with_malloc=not arguments.without_malloc)
    launcher = UNDER_HAKMEM if arguments.without_malloc else [*UNDER_HAKMEM, *WITH_MALLOC]
    exit_code = 0
    for package in arguments.packages:
        suite = SUITES[package]
        install(python, suite)
        folder = folder_of_tests(python, package, suite, out)
        files = [name for name in files_of_tests(folder, suite) if any(word in name for word in arguments.only)]

        def run(file: str, is_hakmem: bool, suite: Suite = suite, folder: Path = folder) -> Outcome:
            return run_file(python, suite, folder, file, launcher if is_hakmem else [])

        result = out / f"{package}.json"
        results = compare_files(run, files, LISTED, jobs=arguments.jobs, result=result)
        exit_code |= report(f"{package} {version_of(python, package)}", results)
        exit_code |= nothing_ran(package, results)
    return exit_code


def nothing_ran(package: str, results: list[Comparison]) -> int:
    """A suite that does not start ends alike on both sides."""
    if any(found.stock.count("passed") for found in results):
        return 0
    print(f"error: no test of {package} passed under stock Python")
    return 1


if __name__ == "__main__":
    sys.exit(main())
