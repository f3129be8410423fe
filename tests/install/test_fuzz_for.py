"""fuzz-for and sanitize-for of tests/core, with programs in place of the fuzzer and of ctest; and what both refuse."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

# Writes its words to `calls`, then what libFuzzer writes. A file `finding` in its folder is the number of the run that
# finds something, and one `silent` leaves the figures out.
FUZZER = """#!/bin/sh
here=$(dirname "$0")
echo "$@" >>"$here/calls"
[ ! -e "$here/silent" ] || exit 0
echo "INFO: Loaded 1 modules   (2000 inline 8-bit counters): 2000 [0x1, 0x2),"
echo "#9 DONE   cov: 1500 ft: 1 corp: 1/1b exec/s: 0 rss: 1Mb"
echo "stat::number_of_executed_units: 1234"
if [ -e "$here/finding" ] && [ "$(cat "$here/finding")" = "$(grep -c . "$here/calls")" ]; then
    prefix=./
    for word; do case $word in -artifact_prefix=*) prefix=${word#*=} ;; esac; done
    echo "artifact_prefix='$prefix'; Test unit written to ${prefix}crash-1"
    exit 77
fi
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where a copy of the script goes, with a seed, and `build` with the program."""
    folder = tmp_path / "fuzz"
    program = folder / "build" / "tests" / "core" / "machine" / "fuzz_operations"
    program.parent.mkdir(parents=True)
    program.write_text(FUZZER)
    program.chmod(0o755)
    (folder / "corpus").mkdir()
    (folder / "corpus" / "seed").write_text("seed")
    return folder


def fuzz(repository: Path, folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    script = folder / "fuzz-for"
    shutil.copy(repository / "tests" / "core" / "fuzz" / "fuzz-for", script)
    shutil.copy(repository / "tests" / "core" / "check-seconds", folder.parent)
    return subprocess.run([script, *words], cwd=folder, capture_output=True, text=True)


def calls(folder: Path) -> list[str]:
    log = folder / "build" / "tests" / "core" / "machine" / "calls"
    return log.read_text().splitlines() if log.exists() else []


def plant(folder: Path, name: str, text: str = "") -> None:
    (folder / "build" / "tests" / "core" / "machine" / name).write_text(text)


def require_refused(result: subprocess.CompletedProcess[str], line: str) -> None:
    assert (result.returncode, result.stdout, result.stderr) == (2, "", f"error: {line}\n")


def test_figures_are_shown(repository: Path, folder: Path) -> None:
    result = fuzz(repository, folder, "5", "build")
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout == (
        "fuzz: 1234 streams in 5 s, 1234 a second and core, nothing found;"
        " 1500 of 2000 edges of the core (75 %), by the corpus alone 1500 of 2000 edges of the core (75 %)\n"
    )


@pytest.mark.parametrize("seconds", ["", "0", "00", "05", "5 6", "5s", "-1", "corpus2"])
def test_seconds_that_are_none_are_refused(repository: Path, folder: Path, seconds: str) -> None:
    require_refused(fuzz(repository, folder, seconds, "fresh"), f"SECONDS={seconds} is not a whole number above 0")
    assert not (folder / "fresh").exists()


@pytest.mark.parametrize("words", [[], ["5"], ["5", "6", "fresh"]])
def test_other_numbers_of_words_are_refused(repository: Path, folder: Path, words: list[str]) -> None:
    line = "fuzz-for needs two words: seconds, or corpus, and the folder of the build"
    require_refused(fuzz(repository, folder, *words), line)
    assert sorted(path.name for path in folder.iterdir()) == ["build", "corpus", "fuzz-for"]


@pytest.mark.parametrize("seconds", ["", "0", "5 6"])
def test_sanitizers_refuse_the_same(repository: Path, folder: Path, seconds: str) -> None:
    script = repository / "tests" / "core" / "sanitize-for"
    result = subprocess.run([script, seconds, "build"], cwd=folder, capture_output=True, text=True)
    require_refused(result, f"SECONDS={seconds} is not a whole number above 0")


@pytest.mark.parametrize("script", ["fuzz", "sanitize"])
def test_make_passes_seconds_as_one_word(repository: Path, script: str) -> None:
    words = ["make", "--dry-run", f"{script}-here", "SECONDS=5 6"]
    result = subprocess.run(words, cwd=repository, capture_output=True, text=True)
    assert f'{script}-for "5 6" build/' in result.stdout


def test_sanitizers_run_a_test_in_each_folder(repository: Path, folder: Path) -> None:
    ctest = folder / "ctest"
    ctest.write_text('#!/bin/sh\ncase "$*" in *show-only*) echo "  Test #1: one" ;; esac\n')
    ctest.chmod(0o755)
    script = repository / "tests" / "core" / "sanitize-for"
    for name in ("one", "two"):
        (folder / name).mkdir()
        (folder / name / "CMakeCache.txt").write_text(f"HAKMEM_SANITIZE:STRING={name}\n")
    result = subprocess.run(
        [script, "1", "one", "two"],
        env={**os.environ, "PATH": f"{folder}:{os.environ['PATH']}"},
        cwd=folder,
        capture_output=True,
        text=True,
    )
    assert (result.returncode, result.stderr) == (0, "")
    assert "sanitize: one: 1 runs of 1 tests" in result.stdout
    assert "sanitize: two: 1 runs of 1 tests" in result.stdout


@pytest.mark.parametrize("task", ["5", "corpus"])
def test_missing_program_makes_nothing(repository: Path, folder: Path, task: str) -> None:
    program = "fresh/tests/core/machine/fuzz_operations"
    require_refused(fuzz(repository, folder, task, "fresh"), f"there is no program {program}; make fuzz builds it")
    assert not (folder / "fresh").exists()


@pytest.mark.parametrize("task", ["5", "corpus"])
@pytest.mark.parametrize("name", ["fuzz.log", "fuzz.time", "corpus"])
def test_folder_that_cannot_be_written_to_stops_it(repository: Path, folder: Path, task: str, name: str) -> None:
    assert fuzz(repository, folder, "5", "build").returncode == 0
    before = len(calls(folder))
    place = folder / "build" / name
    shutil.rmtree(place) if place.is_dir() else place.unlink()
    if name == "corpus":
        place.write_text("")
    else:
        place.mkdir()
    line = "build cannot be written to: its corpus/, fuzz.log and fuzz.time are the fuzzer's"
    require_refused(fuzz(repository, folder, task, "build"), line)
    assert len(calls(folder)) == before
    assert (folder / "corpus" / "seed").exists()


def test_figures_of_an_earlier_run_are_not_shown(repository: Path, folder: Path) -> None:
    assert fuzz(repository, folder, "5", "build").returncode == 0
    plant(folder, "silent")
    require_refused(fuzz(repository, folder, "5", "build"), "build/fuzz.log lacks figures; is there room in build?")


@pytest.mark.parametrize("run", ["1", "2"])
def test_finding_is_kept_in_the_build_folder(repository: Path, folder: Path, run: str) -> None:
    plant(folder, "finding", run)
    result = fuzz(repository, folder, "5", "build")
    assert (result.returncode, len(calls(folder))) == (1, int(run))
    program = "build/tests/core/machine/fuzz_operations"
    assert result.stderr == (
        "error: the fuzzer stopped; the whole log is build/fuzz.log\n"
        f"the same stream again: {program} build/found-crash-1\n"
    )
