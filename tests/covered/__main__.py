"""`make coverage`: runs the C tests in a build that counts, prints what they reach, and compares that with the page."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

from covered.measure import FileCoverage, Gap, gaps_of_file, measured, unclear_of_file
from covered.page import PageError, differences, read_page, written

REPOSITORY = Path(__file__).resolve().parents[2]
SOURCE = REPOSITORY / "core" / "src"
PAGE = REPOSITORY / "docs" / "coverage.md"


def run_tests(build: Path, jobs: int) -> bool:
    """Twice where a test fails, since some measure the machine. False: one failed twice."""
    for old in build.rglob("*.profraw"):
        old.unlink()
    command = ["ctest", "--test-dir", str(build), "--parallel", str(jobs), "--repeat", "until-pass:2"]
    command += ["--output-on-failure", "--no-tests=error"]
    return subprocess.run(command).returncode == 0


def tool(name: str) -> str:
    """That of the clang which built the tests."""
    command = ["clang", f"-print-prog-name={name}"]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.strip()


def objects(build: Path) -> list[str]:
    """The core as it is, and the variants of it."""
    first, *others = [build / "core" / "libhakmem.so", *sorted(build.glob("tests/core/libhakmem_variant_*_covered.so"))]
    return [str(first), *(word for other in others for word in ("-object", str(other)))]


def exported(build: Path) -> tuple[dict[str, FileCoverage], list[str]]:
    """What the tests reached, and the command, without its verb, that shows it."""
    profile = build / "merged.profdata"
    counters = build / "counters.txt"
    counters.write_text("".join(f"{path}\n" for path in sorted(build.rglob("*.profraw"))))
    merge = [tool("llvm-profdata"), "merge", "-sparse", f"-input-files={counters}", "-o", str(profile)]
    subprocess.run(merge, check=True)
    arguments = [f"-instr-profile={profile}", *objects(build)]

    def export(form: str) -> str:
        command = [tool("llvm-cov"), "export", f"-format={form}", *arguments]
        return subprocess.run(command, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True).stdout

    return measured(json.loads(export("text")), export("lcov"), SOURCE), arguments


def show(build: Path, arguments: list[str]) -> None:
    command = [tool("llvm-cov"), "show", "-format=html", "-show-branches=count", f"-output-dir={build / 'html'}"]
    subprocess.run([*command, *arguments], check=True, stderr=subprocess.DEVNULL)


def percent(part: int, whole: int) -> str:
    return f"{100 * part / whole:5.1f} %" if whole else "      -"


def table(files: dict[str, FileCoverage]) -> str:
    """A row per file with code, and all of them together."""
    rows = [f"{'file':<38}{'lines':>16}{'branches':>22}"]
    sums = [0, 0, 0, 0]
    for name, file in files.items():
        counts = [file.lines_covered, len(file.lines), file.branches_covered, file.branches]
        sums = [before + count for before, count in zip(sums, counts, strict=True)]
        rows.append(_row(name, counts))
    return "\n".join([*rows, _row("core/src", sums)])


def _row(name: str, counts: list[int]) -> str:
    lines, branches = (f"{part:>6}/{whole:<5}{percent(part, whole)}" for part, whole in (counts[:2], counts[2:]))
    return f"{name:<38}{lines}   {branches}"


def main() -> int:
    parser = argparse.ArgumentParser(prog="make coverage", description=__doc__)
    parser.add_argument("build", type=Path, help="folder of a build with HAKMEM_COVERAGE")
    parser.add_argument("--jobs", type=int, default=2, help="tests at a time")
    parser.add_argument("--no-run", action="store_true", help="only look at what the last run counted")
    arguments = parser.parse_args()
    build = arguments.build.resolve()
    passed = arguments.no_run or run_tests(build, arguments.jobs)
    files, how = exported(build)
    show(build, how)
    texts = {name: (SOURCE / name).read_text() for name in files}
    gaps = [gap for name, file in files.items() for _, gap in gaps_of_file(name, texts[name], file)]
    unclear = [gap for name, file in files.items() for gap in unclear_of_file(name, texts[name], file)]
    (build / "gaps.txt").write_text(f"{written(gaps)}\n")
    try:
        unnamed, closed = differences(Counter(gaps), Counter(unclear), read_page(PAGE.read_text()))
    except PageError as error:
        print(f"error: {PAGE.relative_to(REPOSITORY)}: {error}", file=sys.stderr)
        return 1
    report(unnamed, "not reached, and not on the page; write a test, or name it there with its reason")
    report(closed, "on the page, and reached now; take it off there")
    if not passed:
        print("error: a test failed, so the figures are not those of all tests", file=sys.stderr)
    print(f"each line and branch: {(build / 'html' / 'index.html').relative_to(REPOSITORY)}")
    print(table(files))
    return 0 if passed and not unnamed and not closed else 1


def report(gaps: list[Gap], what: str) -> None:
    if gaps:
        print(f"error: {PAGE.relative_to(REPOSITORY)}: {what}:\n{written(gaps)}", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
