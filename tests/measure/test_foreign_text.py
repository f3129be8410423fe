"""Text that others wrote, in every place of the measuring commands; and a form that fails costs no other."""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import sys
import tempfile
import warnings
import xml.etree.ElementTree as ElementTree
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from hakmem.cli import main
from hakmem.measure import breakdown, chart, kernel, marks, page, presentation, tables
from hakmem.measure.curve_file import Curve
from hakmem.measure.sampler import Sample
from hakmem.shown import shown
from hypothesis import example, given, settings
from hypothesis import strategies as some
from measure_support import end, hakmem_command, result_in, start
from python_support import HAKMEM, clean_environment, run

# Everything that a str can hold, also bytes of a command line that are no UTF-8.
TEXT = some.text(some.characters(codec=None, exclude_categories=()), max_size=60)
STRANGE = "_a\x1b[31m$x^_$\n\r\x0b\u2028中\u202e\udcff"
NAMES = [STRANGE, "$a_{$", "__", "中文", "x" * 300, "]]>--><&\"'", "\x00", ""]
SAMPLES = [Sample(second, (second + 1) << 20, (second + 1) << 20, second / 9, 1) for second in range(4)]
drawn = settings(max_examples=15, deadline=None)


def curve(name: str) -> Curve:
    return Curve(name, SAMPLES, [{"seconds": 1, "mark": name}, {"seconds": 3, "mark": name * 2}])


def draw(names: list[str], title: str, form: str) -> bytes:
    """With every warning of matplotlib's an error: of a glyph that is missing, of names that have no room."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return chart.draw([curve(name) for name in names], title, by_name=False, form=form)


@drawn
@example(NAMES, STRANGE)
@given(some.lists(TEXT, max_size=3), TEXT)
def test_any_name_can_be_drawn(names: list[str], title: str) -> None:
    assert draw(names, title, "png").startswith(b"\x89PNG")
    ElementTree.fromstring(draw(names, title, "svg"))


def test_names_that_matplotlib_would_hide_are_in_the_legend() -> None:
    told = draw(["_a", "b", "中"], "title", "svg").decode()
    assert [re.search(f"<!-- {name} -->", told) is not None for name in (" _a", "b", r"\\u4e2d")] == [True] * 3


def result_with(text: str) -> dict[str, Any]:
    """A result of one failed and one finished run, with this text wherever there is text from outside."""
    figures = dict.fromkeys(tables.HEADINGS, 1.0)
    summary: dict[str, Any] = {"failures": [], "runs_failed": 0, "runs_counted": 1, "looks_min": 50}
    summary |= {"medians": figures, "ratios": figures, "spread_percent": dict.fromkeys(figures, 4.0)}
    failed = {"failures": [text], "runs_failed": 1}
    run = {"failure": "", "output_tail": text, "largest_gap_seconds": 0, "events": [{"seconds": 1, "mark": text}]}
    run |= {"samples": [[0.1, 1 << 20, 1 << 20, 0.1, 1], [1.1, 2 << 20, 1 << 20, 0.1, 1]]}
    return {
        "command": [text, text],
        "verdict": {"helps": True, "text": text},
        "summary": {"pymalloc": summary, "hakmem": summary, "malloc": summary | failed},
        "baseline": "pymalloc",
        "memory": "RSS",
        "runs": [run | {"allocator": "hakmem"}, run | {"allocator": "malloc", "failure": text}],
        "allocators": [{"name": name, "version": text, "missing": ""} for name in ("pymalloc", "hakmem", "malloc")]
        + [{"name": "jemalloc", "version": "", "missing": text}],
        "was_interrupted": False,
        "runs_wanted": 1,
        "hakmem": text,
        "date": text,
        "machine": text,
        "options_of_hakmem": {"HAKMEM_X": text},
    }


@settings(deadline=None)
@example(STRANGE)
@given(TEXT)
def test_any_text_can_be_in_the_page(text: str) -> None:
    html = page.report_page(result_with(text), "<svg></svg>")
    assert all(character.isprintable() for line in html.split("\n") for character in line)
    seen = []
    parser = HTMLParser()
    parser.handle_data = seen.append  # type: ignore[method-assign]
    parser.feed(html.encode("utf-8").decode("utf-8"))
    assert shown(text).strip() in "".join(seen)


def show(directory: str, text: str, as_json: bool = False) -> presentation.Presentation:
    shown_result = presentation.Presentation(result_with(text), directory)
    shown_result.show(as_json)
    return shown_result


@pytest.mark.parametrize("text", NAMES)
def test_all_forms_are_there(tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str) -> None:
    assert not show(str(tmp_path), text).has_failed
    told = capsys.readouterr()
    assert told.err == ""
    assert all(line.isprintable() for line in told.out.split("\n"))
    assert told.out.endswith(f"Report: {tmp_path}/report.html\n")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["report.html", "result.json", "rss.png"]
    assert json.loads((tmp_path / "result.json").read_text())["machine"] == text


BROKEN: list[tuple[Any, str, set[str], list[str]]] = [
    (tables, "print_result", {"report.html", "rss.png"}, ["it could not be printed: "]),
    (page, "report_page", {"rss.png"}, ["report.html could not be made: "]),
    (chart, "draw", {"report.html"}, ["the picture in report.html could not be made: ", "rss.png could not be made: "]),
]


@pytest.mark.parametrize(("module", "name", "there", "said"), BROKEN, ids=[row[1] for row in BROKEN])
@pytest.mark.parametrize("error", [ValueError("of\nsome \x1bkind"), MemoryError(), RecursionError(), KeyError("x")])
def test_form_that_fails_costs_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
    module: Any, name: str, there: set[str], said: list[str], error: Exception,
) -> None:  # fmt: skip
    def fail(*words: Any, **options: Any) -> None:
        raise error

    monkeypatch.setattr(module, name, fail)
    assert show(str(tmp_path), "x").has_failed
    told = capsys.readouterr()
    lines = told.err.split("\n")[:-1]
    kind = f"{type(error).__name__}: {shown(str(error))}"
    assert lines == [f"hakmem: warning: {text}{kind}" for text in said]
    assert {path.name for path in tmp_path.iterdir()} == {"result.json", *there}
    assert ("ratio to pymalloc" in told.out) == (name != "print_result")
    if name == "draw":
        assert "The picture could not be drawn" in (tmp_path / "report.html").read_text()


def test_exit_code_says_that_a_form_is_missing(tmp_path: Path) -> None:
    """Also where the user's own settings of matplotlib keep it from drawing."""
    (tmp_path / "sitecustomize.py").write_text(
        "import sys\nif 'compare' in sys.argv or 'compare' in sys.orig_argv:\n"
        "    import matplotlib.figure\n    matplotlib.figure.Figure.savefig = None\n"
    )
    words = ("compare", "--allocators", "pymalloc", "--runs", "1", "-c", "import time; time.sleep(0.3)")
    result = hakmem_command(*words, cwd=tmp_path, PYTHONPATH=str(tmp_path))
    assert result.returncode == 1
    assert [line[:34] for line in result.stderr.splitlines()[1:]] == [
        "hakmem: warning: the picture in re", "hakmem: warning: rss.png could not",
    ]  # fmt: skip
    assert "Report: hakmem-compare/report.html" in result.stdout
    assert {path.name for path in (tmp_path / "hakmem-compare").iterdir()} == {"report.html", "result.json"}


PROGRAM = r"""
import sys, time, hakmem
hakmem.mark("\x1b[31m$^\n\ud800\u4e2d")
sys.stdout.buffer.write(b"50%\r\xff\x1b]0;title\x07\x0b\xe2\x80\xa8end\n")
time.sleep(0.3)
sys.exit(len(sys.argv) - 1)
"""
LOCALES = [{"PYTHONIOENCODING": "utf-8"}, {"PYTHONIOENCODING": "ascii:strict"}, {"LC_ALL": "C", "PYTHONUTF8": "0"}]


@pytest.mark.parametrize("variables", LOCALES, ids=lambda variables: " ".join(variables.values()))
@pytest.mark.parametrize("arguments", [[], [STRANGE]], ids=["ends well", "fails"])
def test_comparison_of_a_program_of_any_name(tmp_path: Path, arguments: list[str], variables: dict[str, str]) -> None:
    (tmp_path / STRANGE).write_text(PROGRAM)
    words = ("compare", "--allocators", "hakmem", "--runs", "1", "--out", f"out{STRANGE}", "--", STRANGE)
    environment = clean_environment(HAKMEM_X=STRANGE, PYTHONCOERCECLOCALE="0", **variables)
    if "LC_ALL" in variables:
        del environment["PYTHONIOENCODING"]
    result = run([*HAKMEM, *words, *arguments], environment=environment, cwd=tmp_path)
    assert result.returncode == len(arguments), result.stderr
    printed = result.stdout + result.stderr
    assert all(line.isprintable() for line in printed.split("\n"))
    assert printed.isascii() or "utf-8" in variables.values()
    assert "Traceback" not in printed
    assert "Warning" not in printed
    if arguments:
        assert r"50%\r" in result.stdout
        assert r"\x1b]0;title\x07\x0b" in result.stdout
    else:
        assert "ratio to pymalloc, " in result.stdout
    out = tmp_path / f"out{STRANGE}"
    assert sorted(path.name for path in out.iterdir()) == ["report.html", "result.json", "rss.png"]
    assert list(map(os.fsencode, result_in(out)["command"])) == list(map(os.fsencode, [STRANGE, *arguments]))
    plot = [*HAKMEM, "plot", str(out / "result.json"), "-o", f"{STRANGE}.svg"]
    result = run(plot, environment=environment, cwd=tmp_path)
    assert (result.returncode, result.stderr) == (0, "")
    assert re.fullmatch(r"_a\\x1b\[31m\$x\^_\$\\n\\r\\x0b[ -~中]+\\xff\.svg\n", result.stdout)


def test_program_in_a_directory_that_was_removed(tmp_path: Path) -> None:
    """What was found out only after the runs lost them."""
    (tmp_path / "gone").mkdir()
    shell = f'rmdir ../gone && exec "$@" --out "{tmp_path}/out" -c "import time; time.sleep(0.3)"'
    words = [*HAKMEM, "compare", "--allocators", "pymalloc", "--runs", "1"]
    result = run(["sh", "-c", shell, "sh", *words], cwd=tmp_path / "gone")
    assert result.returncode == 0, result.stderr
    assert result_in(tmp_path / "out")["directory"] == ""


JSON = some.recursive(
    some.none() | some.booleans() | some.integers() | some.floats() | TEXT,
    lambda inner: some.lists(inner, max_size=3) | some.dictionaries(TEXT, inner, max_size=3),
    max_leaves=6,
)
NUMBER = some.floats(0, 1e9) | JSON
LINE = some.fixed_dictionaries({"seconds": NUMBER}, optional={"mark": TEXT | JSON, "gc_seconds": JSON, "end": JSON})
SAMPLE = some.fixed_dictionaries(dict.fromkeys(Sample.__annotations__, NUMBER))
GOOD_SAMPLE = {"seconds": 0.1, "rss_bytes": 9, "pss_bytes": 8, "cpu_seconds": 0.1, "processes": 1}
HEADER = {"hakmem_record": 1}
DEEP = b"[" * 100_000


def plotted(content: bytes) -> int:
    """The exit code of `hakmem plot` on a file, which says nothing or one error line."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "x.jsonl")
        path.write_bytes(content)
        result = Path(folder, "x.png")
        code = main(["plot", str(path)])
        assert result.exists() == (code == 0)
        return code


def assert_one_line(told: str, code: int) -> None:
    assert re.fullmatch(r"hakmem: error: [^\n]+\n" if code else "", told), told
    assert all(line.isprintable() for line in told.split("\n"))


@drawn
@given(some.lists(LINE | SAMPLE | JSON, max_size=4))
@example([{"seconds": 0.1, "mark": ["no", "text"]}])
@example([GOOD_SAMPLE | {"rss_bytes": 10**400}])
@example([GOOD_SAMPLE | {"seconds": 1e300}])
@example([{"seconds": 10**5000}])
def test_any_recording_is_drawn_or_refused(lines: list[Any]) -> None:
    sys.set_int_max_str_digits(0)
    try:
        content = "\n".join(json.dumps(line) for line in [HEADER, GOOD_SAMPLE, *lines]).encode()
    finally:
        sys.set_int_max_str_digits(4300)
    assert_refused_or_drawn(content)


@drawn
@given(some.binary(max_size=40) | JSON.map(lambda value: json.dumps(value).encode()))
@example(DEEP)
@example(json.dumps(HEADER).encode() + b"\n" + json.dumps(GOOD_SAMPLE).encode() + b"\n" + DEEP)
@example(b'{"hakmem_record": ' + b"[" * 900 + b"]" * 900 + b"}")
@example(b'{"hakmem_compare": 1, "runs": [{"allocator": {}, "samples": [[1, 2, 3, 4, 5]], "events": []}]}')
@example(b'{"hakmem_compare": 1, "runs": [{"allocator": "x", "samples": [[1, 2, 3, 4, 5]], "events": [{"mark": 1}]}]}')
def test_any_file_is_drawn_or_refused(content: bytes) -> None:
    assert_refused_or_drawn(content)


def assert_refused_or_drawn(content: bytes) -> None:
    with contextlib.redirect_stderr(io.StringIO()) as told, contextlib.redirect_stdout(io.StringIO()):
        code = plotted(content)
    assert_one_line(told.getvalue(), code)


GOOD_EVENT = {"monotonic": 5.5, "mark": "here", "pid": 7}


@settings(deadline=None)
@given(some.lists(some.binary(max_size=40) | JSON.map(lambda value: json.dumps(value).encode()), max_size=4))
@example([b"\xff", b"{}", b'{"monotonic": "x", "mark": "y"}', b'{"monotonic": 1e999, "mark": "y"}', DEEP])
@example([b'{"monotonic": 1.5, "mark": 5}', b'{"monotonic": 1.5, "mark": "x", "hakmem_record": 1, "rss_bytes": 2}'])
def test_what_others_wrote_into_the_file_of_marks_costs_none(lines: list[bytes]) -> None:
    with tempfile.NamedTemporaryFile() as file:
        file.write(b"\n".join([json.dumps(GOOD_EVENT).encode(), *lines, json.dumps(GOOD_EVENT).encode()]))
        file.flush()
        first, *others, last = marks.read_file(file, 5.0)
    assert first == last == {"seconds": 0.5, "mark": "here", "pid": 7}
    for event in others:
        assert event.keys() <= {"seconds", *marks.EVENT_FIELDS}


def test_mark_before_the_clock_began_is_at_its_beginning(tmp_path: Path) -> None:
    """On a busy machine a program is ahead of who started it; what is written of it can be drawn."""
    path = tmp_path / "marks"
    path.write_text(json.dumps(GOOD_EVENT))
    with path.open("rb") as file:
        events = marks.read_file(file, 5.75)
    assert events == [{"seconds": 0.0, "mark": "here", "pid": 7}]
    assert plotted("\n".join(map(json.dumps, [HEADER, GOOD_SAMPLE, *events])).encode()) == 0


@pytest.mark.parametrize("told", [None, 5, [5], [{}], {"mark": 1}, [{"monotonic": 1}]])
def test_what_a_socket_answers_may_be_no_events(told: Any) -> None:
    assert marks.since(told, 0.0) == []


def test_doctor_shows_no_escape_of_another_process(tmp_path: Path) -> None:
    name = "lib\x0c \u2028\x85\x1c\x1e中\x1b[31m\udcff"
    (tmp_path / name).write_bytes(bytes(8192))
    code = (
        "import ctypes, mmap, sys, time\n"
        "ctypes.CDLL(None).prctl(15, b'c\\x1b[31m\\xff) R 1', 0, 0, 0)\n"
        f"file = open({name!r}, 'r+b')\n"
        "memory = mmap.mmap(file.fileno(), 0)\nmemory[:8192]\nprint(1, flush=True)\ntime.sleep(60)"
    )
    program = start([sys.executable, "-c", code, "\x1b[2J\u2028\udcff"], cwd=tmp_path)
    assert program.stdout is not None
    assert program.stdout.readline(), program.communicate()[1]
    told = [
        hakmem_command("doctor", str(program.pid), "--seconds", "0", *words, cwd=tmp_path, PYTHONIOENCODING=encoding)
        for encoding in ("utf-8", "ascii:strict")
        for words in ((), ("--json",))
    ]
    paths = [mapping.path for mapping in kernel.mappings(program.pid)]
    rows = breakdown.break_down(program.pid).rows
    end(program)
    assert str(tmp_path / name) in paths
    assert rows["files"] > 8192
    for result in told:
        assert (result.returncode, result.stderr) == (0, "")
        assert all(line.isprintable() for line in result.stdout.split("\n"))


@given(TEXT.filter(lambda text: "\n" not in text and "\0" not in text))
def test_any_path_is_one_mapping(name: str) -> None:
    text = f"7f00-7f10 r--p 0 0:0 9   /{name}\nRss:  4 kB\n7f10-7f20 rw-p 0 0:0 0 \nRss:  8 kB\n"
    first, second = kernel.parse_smaps(text)
    assert (first.path, first.sizes, second.sizes) == (f"/{name}", {"Rss": 4096}, {"Rss": 8192})


@pytest.mark.parametrize(
    ("written", "words"),
    [(b"a\0b\0", ["a", "b"]), (b"a title", ["a title"]), (b"a\0\0", ["a", ""]), (b"\xff\0", ["\udcff"]), (b"", [])],
)
def test_command_line_of_any_process(monkeypatch: pytest.MonkeyPatch, written: bytes, words: list[str]) -> None:
    monkeypatch.setattr(kernel, "_read", lambda process_id, name: written)
    assert kernel.command_line(1) == words


def test_recording_of_a_process_of_any_name(tmp_path: Path) -> None:
    (tmp_path / STRANGE).write_text("import time; time.sleep(0.3)")
    out = f"{STRANGE}.jsonl"
    result = hakmem_command("record", "-o", out, "--", sys.executable, STRANGE, cwd=tmp_path)
    assert result.returncode == 0
    assert result.stderr.startswith(f"hakmem: exit code 0; {shown(out)} has ")
    assert hakmem_command("plot", out, "--title", STRANGE, cwd=tmp_path).stdout == f"{shown(STRANGE)}.png\n"


def test_probe_that_prints_no_text_is_no_error() -> None:
    from hakmem.measure.allocators import ask

    assert ask([sys.executable, "-c", r"import os; os.write(1, b'\xff5.4')"], {}) == "\ufffd5.4"
