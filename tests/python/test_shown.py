"""Text from outside: on one line, printable, in what the terminal has; and every command that shows some."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

import hakmem
import pytest
from hakmem.shown import shown
from hypothesis import given
from hypothesis import strategies as some
from python_support import HAKMEM, clean_environment, run, run_code

# Everything that a str can hold, also halves of surrogate pairs: bytes of a command line that are no UTF-8 are such.
TEXT = some.text(some.characters(codec=None, exclude_categories=()))
STRANGE = "a\x1b[31m\n\r\x0b\u2028\x85\u202e\udcff\x07"
FORBIDDEN = re.compile(r"[^\x20-\x7e\n]")
ENCODINGS = ["utf-8", "ascii", "ascii:strict", "latin-1"]


@given(TEXT)
def test_any_text_becomes_one_printable_line(text: str) -> None:
    line = shown(text)
    assert line.isprintable()
    assert "\n" not in line
    assert line.encode("utf-8").decode("utf-8") == line
    assert shown(line) == line
    if text.isprintable():
        assert line == text


@given(TEXT, some.integers(5, 50))
def test_any_text_is_cut(text: str, length_max: int) -> None:
    line = shown(text, length_max)
    assert len(line) <= length_max
    assert line == shown(text) if len(shown(text)) <= length_max else line.endswith("...")


@given(TEXT)
def test_only_characters_that_are_there_are_used(text: str) -> None:
    assert shown(text, None, str.isascii).isascii()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain ± 中", "plain ± 中"),
        ("\x1b[31m\n\t", r"\x1b[31m\n\t"),
        ("\u2028\u202e\x85", r"\u2028\u202e\x85"),
        (b"\xff\x80.py".decode("utf-8", "surrogateescape"), r"\xff\x80.py"),
        ("\ud800\U000e0001", r"\ud800\U000e0001"),
        (r"C:\n", r"C:\n"),
    ],
)
def test_escapes(text: str, expected: str) -> None:
    assert shown(text) == expected


def test_what_is_cut_ends_between_characters() -> None:
    assert shown("abc" + "\x1b" * 100, 10) == r"abc\x1b..."
    assert shown("abcdefghij", 10) == "abcdefghij"
    assert shown("1.02 ±0 %", None, str.isascii) == "1.02 +-0 %"


@pytest.mark.parametrize("encoding", ["utf-8", "ascii:strict"])
@pytest.mark.parametrize(
    "words",
    [
        [STRANGE],
        [f"--{STRANGE}"],
        ["run", f"--{STRANGE}"],
        ["run", f"-u{STRANGE}", STRANGE],
        ["status", STRANGE],
        ["options", f"--{STRANGE}"],
        ["install-startup", STRANGE],
        ["compare", STRANGE],
        ["compare", "--runs", STRANGE, "x.py"],
        ["compare", "--allocators", STRANGE, "x.py"],
        ["compare", "--lua", STRANGE, "x.lua"],
        ["compare", "--out", f"/proc/{STRANGE}", "x.py"],
        ["record", "--", STRANGE],
        ["record", "-o", f"/proc/{STRANGE}", "--", "true"],
        ["plot", STRANGE],
        ["plot", "x.py", "-o", f"{STRANGE}.gif"],
        ["doctor", STRANGE],
        ["stats", STRANGE],
    ],
    ids=lambda words: " ".join(shown(word, 20) for word in words) if isinstance(words, list) else None,
)
def test_words_of_the_command_line(tmp_path: Path, words: list[str], encoding: str) -> None:
    for name in ("x.py", "x.lua"):
        (tmp_path / name).write_text("")
    environment = clean_environment(PYTHONIOENCODING=encoding)
    result = run([*HAKMEM, *words], environment=environment, cwd=tmp_path)
    assert (result.returncode in (1, 2), result.stdout) == (True, "")
    assert re.fullmatch(r"hakmem: error: [^\n]+\n", result.stderr), result.stderr
    assert not FORBIDDEN.search(result.stderr)


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_names_of_this_environment(tmp_path: Path, encoding: str) -> None:
    """`status` and the startup commands print paths."""
    environment = clean_environment(PYTHONIOENCODING=encoding)
    make = [sys.executable, "-m", "venv", "--system-site-packages", "--without-pip", str(tmp_path / "venv")]
    assert run(make).returncode == 0
    folder = (tmp_path / "venv").rename(tmp_path / STRANGE)
    python = str(folder / "bin" / "python")
    (site,) = folder.glob("lib/*/site-packages")
    (site / "hakmem").symlink_to(Path(hakmem.__file__).parent, target_is_directory=True)
    printed = ""
    for command in ("install-startup", "status", "uninstall-startup", "uninstall-startup"):
        result = run([python, "-m", "hakmem", command], environment=environment)
        assert (result.returncode, result.stderr) == (0, ""), result
        assert shown(STRANGE) in result.stdout
        printed += result.stdout
    assert not FORBIDDEN.search(printed)


START = "import hakmem.startup; hakmem.startup.start(); print('started')"


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_value_in_the_environment(encoding: str) -> None:
    result = run_code(START, environment=clean_environment(HAKMEM=STRANGE, PYTHONIOENCODING=encoding))
    assert (result.returncode, result.stdout) == (0, "started\n")
    expected = f"hakmem: warning: HAKMEM={shown(STRANGE)} is not 0 or 1; the startup file enables nothing\n"
    assert result.stderr == expected


@pytest.mark.parametrize("where", ["2>/dev/full", "2>&-"])
def test_warning_that_nobody_can_read_stops_no_interpreter(where: str) -> None:
    command = ["sh", "-c", f'exec "$0" -c "$1" {where}', sys.executable, START]
    # The exit code is Python's own affair: it is 120 where stderr could not be flushed.
    assert run(command, environment=clean_environment(HAKMEM="2")).stdout == "started\n"


def test_locale_without_unicode(tmp_path: Path) -> None:
    """The C locale, as it is without Python's coercion: names of files are bytes."""
    name = tmp_path / os.fsdecode(b"\xe4\xb8\xad\xff\x1b.py")
    name.write_text("raise SystemExit(7)")
    environment = clean_environment(LC_ALL="C", PYTHONCOERCECLOCALE="0", PYTHONUTF8="0")
    del environment["PYTHONIOENCODING"]
    assert run([*HAKMEM, "run", str(name)], environment=environment).returncode == 7
    result = run([*HAKMEM, "plot", str(name)], environment=environment)
    assert result.stderr.startswith(f"hakmem: error: {tmp_path}/\\xe4\\xb8\\xad\\xff\\x1b.py is neither a recording")
