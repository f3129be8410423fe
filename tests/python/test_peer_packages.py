"""What runs the packages' own tests: a test that ends differently where malloc is served is seen, one that does not is
none, and a suite that does not start is an error.

The suites themselves: make peer-packages.
"""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from peer.compare import Listed
from peer.outcome import TOO_LONG, Outcome
from peer.packages.__main__ import UNDER_HAKMEM, WITH_MALLOC, nothing_ran, run_file
from peer.packages.suites import LISTED, NO_SETTINGS, Suite
from peer.side_by_side import compare_file, report

OBJECTS_ALONE = """
def test_objects():
    import hakmem
    assert hakmem.is_enabled()
"""
SUITE = Suite([], ["test_*.py"], is_installed=True, options=NO_SETTINGS)
TESTS = """
from hakmem import _hakmem
import pytest

class TestIt:
    def test_of_malloc(self):
        assert not _hakmem.malloc_is_served()

@pytest.mark.parametrize("value", [1, object()], ids=repr)
def test_of_values(value):
    assert value
"""


def run(folder: Path, file: str, is_hakmem: bool) -> Outcome:
    return run_file(sys.executable, SUITE, folder, file, [*UNDER_HAKMEM, *WITH_MALLOC] if is_hakmem else [])


def test_what_ends_differently_is_seen(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "test_one.py").write_text(TESTS)
    found = compare_file(lambda file, is_hakmem: run(tmp_path, file, is_hakmem), "test_one.py", LISTED)
    name = "test_one.TestIt.test_of_malloc"
    assert found.unexpected == {name: ("passed", "failed")}
    assert found.stock.count("passed") == 3
    assert report("it", [found]) == 1
    assert "test_one.py test_one.TestIt.test_of_malloc: passed under stock, failed under hakmem: NOT EXPECTED" in (
        capsys.readouterr().out
    )
    found.listed = Listed({f"test_one.py {name}": "looks at the allocator"})
    assert report("it", [found]) == 0
    assert nothing_ran("it", [found]) == 0


def test_objects_alone_are_served_without_malloc(tmp_path: Path) -> None:
    (tmp_path / "test_one.py").write_text(TESTS + OBJECTS_ALONE)
    found = run_file(sys.executable, SUITE, tmp_path, "test_one.py", UNDER_HAKMEM)
    assert (found.end, found.count("passed")) == ("exit code 0", 4)


def test_run_writes_into_a_folder_of_its_own(tmp_path: Path) -> None:
    """SQLAlchemy's tests share database files of the folder that they run in, and files are run at the same time."""
    (tmp_path / "test_one.py").write_text("def test_it():\n    open('left', 'x')\n")
    suite = Suite([], ["test_*.py"], options=NO_SETTINGS)
    ends = [run_file(sys.executable, suite, tmp_path, "test_one.py", []).end for _ in range(2)]
    assert ends == ["exit code 0"] * 2
    assert [each.name for each in tmp_path.iterdir()] == ["test_one.py"]


@pytest.mark.parametrize("end", [TOO_LONG, "killed by SIGKILL"])
def test_file_that_stock_did_not_finish_is_named(end: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Once under stock and once under hakmem: no difference stays, and nothing of the file was compared."""
    whole, cut = Outcome("exit code 0", {"test": "passed"}), Outcome(end)
    runs = iter([whole, cut, cut, whole])
    found = compare_file(lambda file, is_hakmem: next(runs), "test_one.py", LISTED)
    assert report("it", [found]) == 0
    assert capsys.readouterr().out.splitlines() == [
        f"test_one.py: {end} under stock: NOT COMPARED",
        f"it: 1 files, 0 tests; passed: stock 0, hakmem {int(end != TOO_LONG)}; not expected: 0; files not compared: 1",
    ]


def test_suite_that_does_not_start_is_an_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "test_one.py").write_text("import there_is_no_such_module")
    found = compare_file(lambda file, is_hakmem: run(tmp_path, file, is_hakmem), "test_one.py", LISTED)
    assert found.unexpected == {}
    assert nothing_ran("it", [found]) == 1
    assert "error: no test of it passed under stock Python" in capsys.readouterr().out
