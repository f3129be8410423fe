"""`hakmem plot`, and the pictures that it draws."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

import pytest
from hakmem.cli import main
from hakmem.measure import chart, files
from hakmem.measure.curve_file import Curve
from hakmem.measure.sampler import Sample
from measure_support import hakmem_command, script
from python_support import HAKMEM, run

SAMPLE = {"seconds": 0.1, "rss_bytes": 9, "pss_bytes": 8, "cpu_seconds": 0.1, "processes": 1}


def line(**changes: Any) -> str:
    return json.dumps(SAMPLE | changes) + "\n"


def comment(text: str) -> str:
    """What matplotlib writes above each text of an SVG."""
    return f"<!-- {text} -->"


def test_names_may_be_as_long_as_the_file_system_takes(tmp_path: Path) -> None:
    (tmp_path / "x.jsonl").write_text('{"hakmem_record": 1}\n' + line())
    picture = f"{'n' * 251}.png"
    result = hakmem_command("plot", "x.jsonl", "-o", picture, cwd=tmp_path)
    assert (result.returncode, result.stdout) == (0, f"{picture}\n"), result.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == [picture, "x.jsonl"]


def test_works_in_a_working_directory_that_was_removed(tmp_path: Path) -> None:
    (tmp_path / "x.jsonl").write_text('{"hakmem_record": 1}\n' + line())
    in_removed = ["sh", "-c", 'mkdir removed && cd removed && rmdir ../removed && exec "$@"', "sh", *HAKMEM, "plot"]
    assert run([*in_removed, str(tmp_path / "x.jsonl")], cwd=tmp_path).stdout == f"{tmp_path}/x.png\n"
    result = run([*in_removed, "x.jsonl"], cwd=tmp_path)
    assert (result.returncode, result.stderr) == (
        1,
        "hakmem: error: x.jsonl cannot be read: No such file or directory\n",
    )


@pytest.mark.parametrize(
    ("words", "code", "text"),
    [
        (["absent.jsonl"], 1, "absent.jsonl cannot be read: No such file"),
        (["other.txt"], 1, "other.txt is neither a recording"),
        (["new.jsonl"], 1, "has the format 9; this hakmem reads 1"),
        (["empty.jsonl"], 1, "empty.jsonl has no samples"),
        (["other.txt", "-o", "x.gif"], 2, "'x.gif' ends neither with .png nor with .svg"),
        (["two.jsonl"], 1, "two.jsonl, line 3: another recording begins here"),
        (["poor.jsonl"], 1, "poor.jsonl, line 3: pss_bytes is missing"),
        (["nan.jsonl"], 1, "nan.jsonl, line 2: rss_bytes is nan, not a number"),
        (["negative.jsonl"], 1, "negative.jsonl, line 2: seconds is -1, not a number"),
        (["mark.jsonl"], 1, "mark.jsonl, line 3: seconds is missing"),
        (["result.json"], 1, "result.json is not as 'hakmem compare' writes it"),
    ],
)
def test_what_is_no_recording_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
    words: list[str], code: int, text: str,
) -> None:  # fmt: skip
    header = '{"hakmem_record": 1}\n'
    contents = {
        "other.txt": "hello\n",
        "new.jsonl": '{"hakmem_record": 9}\n',
        "empty.jsonl": header,
        "two.jsonl": header + line() + header + line(),
        "poor.jsonl": header + line() + '{"seconds": 0.2, "rss_bytes": 9}\n',
        "nan.jsonl": header + line(rss_bytes=float("nan")),
        "negative.jsonl": header + line(seconds=-1),
        "mark.jsonl": header + line() + '{"mark": "x"}\n',
        "result.json": '{"hakmem_compare": 1, "runs": [{"samples": [[1, 2]]}]}',
    }
    for name, content in contents.items():
        (tmp_path / name).write_text(content)
    monkeypatch.chdir(tmp_path)
    assert main(["plot", *words]) == code
    told = capsys.readouterr()
    assert told.out == ""
    assert re.fullmatch(r"hakmem: error: [^\n]+\n", told.err), told.err
    assert text in told.err


def test_files_of_one_name_are_told_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("stock", "ours"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "$run$.jsonl").write_text('{"hakmem_record": 1}\n' + line())
    monkeypatch.chdir(tmp_path)
    assert main(["plot", "stock/$run$.jsonl", "ours/$run$.jsonl", "-o", "both.svg"]) == 0
    picture = (tmp_path / "both.svg").read_text()
    assert comment("stock/$run$") in picture
    assert comment("ours/$run$") in picture


def test_shortest_names() -> None:
    assert files.distinct_names(["/a/x/run.jsonl", "/a/y/run.jsonl", "/a/y/c.jsonl"]) == ["x/run", "y/run", "c"]
    assert files.distinct_names(["/a/run.jsonl", "/a/run.json"]) == ["run.jsonl", "run.json"]
    assert files.distinct_names(["run.jsonl", "run.jsonl"]) == ["run", "run"]


def curve(name: str, marks: int) -> Curve:
    samples = [Sample(second, second << 20, second << 20, 0.0, 1) for second in range(40)]
    events: list[dict[str, Any]] = [{"seconds": second, "mark": f"mark {second}"} for second in range(marks)]
    return Curve(name, samples, [*events, {"seconds": 9, "gc_seconds": 0.1}])


def test_many_curves_have_colours_of_their_own_and_a_whole_legend() -> None:
    names = [f"curve {number}" for number in range(30)]
    picture = chart.draw([curve(name, 1) for name in names], "title", by_name=False, form="svg").decode()
    assert all(comment(name) in picture for name in names)
    styles = [str(chart._style(index, "")) for index in range(30)]
    assert len(set(styles)) == 30
    (height,) = re.findall(r'<svg [^>]*viewBox="0 0 [\d.]+ ([\d.]+)"', picture)
    assert float(height) > 30 * 9 * 1.3
    assert re.findall(r"<!-- (full gc runs .*) -->", picture) == ["full gc runs (30)"]


def test_marks_that_are_not_shown_are_counted() -> None:
    picture = chart.draw([curve("one", 30), curve("two", 3)], "title", by_name=False, form="svg").decode()
    assert re.findall(r"<!-- (marks .*) -->", picture) == ["marks (5 more are not shown)"]
    assert comment("mark 24") in picture
    assert comment("mark 25") not in picture


@pytest.mark.parametrize("backend", ["module://matplotlib_inline.backend_inline", "nonsense", "tkagg"])
def test_backend_of_the_environment_is_not_ours(tmp_path: Path, backend: str) -> None:
    """A notebook names its own to all that is started in it, where this Python may not have it."""
    code = "import os; print(os.environ['MPLBACKEND'])"
    words = ["record", "-o", "recording.jsonl", "--", sys.executable, "-c", code]
    recorded = hakmem_command(*words, cwd=tmp_path, MPLBACKEND=backend)
    assert (recorded.returncode, recorded.stdout) == (0, backend + "\n")
    drawn = hakmem_command("plot", "recording.jsonl", cwd=tmp_path, MPLBACKEND=backend)
    assert (drawn.returncode, drawn.stderr) == (0, "")
    script(tmp_path, "import os, sys, time; time.sleep(0.3); sys.exit(os.environ['MPLBACKEND'] != sys.argv[1])")
    words = ["compare", "--runs", "1", "--allocators", "pymalloc", "--", "program.py", backend]
    compared = hakmem_command(*words, cwd=tmp_path, MPLBACKEND=backend)
    assert compared.returncode == 0, compared.stderr


def test_settings_that_matplotlib_cannot_read_are_one_line(tmp_path: Path) -> None:
    (tmp_path / "matplotlibrc").write_bytes(b"font.family: \xff\n")
    script(tmp_path, "pass")
    result = hakmem_command("compare", "--runs", "1", "program.py", cwd=tmp_path)
    assert result.returncode == 1
    assert "Traceback" not in result.stderr
    assert "hakmem: error: matplotlib cannot be imported: UnicodeDecodeError: " in result.stderr
