"""Text from outside: on one line, printable, in what the terminal has; and every command that shows some."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from pathlib import Path

import hakmem
import pytest
from hakmem.cli import COMMANDS
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


MANY_DIGITS = "1" * 5000


@pytest.mark.parametrize("words", [["doctor", MANY_DIGITS], ["compare", "--runs", MANY_DIGITS, "-c", "1"]])
def test_number_of_many_digits_is_one_line(words: list[str]) -> None:
    result = run([*HAKMEM, *words], environment=clean_environment())
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr.endswith("1' is not a whole number above 0 of up to 100 digits\n")
    assert result.stderr.count("\n") == 1


@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize("command", ["", *COMMANDS])
def test_help_that_cannot_be_printed_is_one_line(command: str, unbuffered: str) -> None:
    words = [*HAKMEM, *filter(None, [command]), "--help"]
    environment = clean_environment(PYTHONUNBUFFERED=unbuffered)
    full = run(["sh", "-c", 'exec "$@" >/dev/full', "sh", *words], environment=environment)
    assert (full.returncode, full.stderr) == (
        1,
        "hakmem: error: the output cannot be written: No space left on device\n",
    )
    read_end, write_end = os.pipe()
    os.close(read_end)
    gone = subprocess.run(words, env=environment, stdout=write_end, stderr=subprocess.PIPE, timeout=60)
    os.close(write_end)
    assert (gone.returncode, gone.stderr) == (1, b"")


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


def text_by_accident(source: str) -> list[str]:
    """Calls that split or decode text as the machine pleases: at U+2028, by the locale's encoding."""
    found = []
    for call in (node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call)):
        name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
        options = {keyword.arg: keyword.value for keyword in call.keywords}
        parts = [part for given in [*call.args, *options.values()] for part in ast.walk(given)]
        words = [part.value for part in parts if isinstance(part, ast.Constant)]
        is_of_doc = "__doc__" in ast.unparse(call.func)
        is_binary = any(isinstance(word, str) and "b" in word and len(word) <= 3 for word in words)
        is_os_call = ast.unparse(call.func) == "os.open"
        if (
            (name == "splitlines" and not is_of_doc)
            or (name == "open" and not is_os_call and "encoding" not in options and not is_binary)
            or ("text" in options and "encoding" not in options and name in ("run", "Popen", "check_output"))
            or (name in ("read_text", "write_text") and "encoding" not in options)
        ):
            found.append(ast.unparse(call))
    return found


def test_package_takes_no_text_by_accident() -> None:
    files = sorted(Path(hakmem.__file__).parent.rglob("*.py"))
    assert len(files) > 50
    found = {path.name: text_by_accident(path.read_text("utf-8")) for path in files}
    assert {name: calls for name, calls in found.items() if calls} == {}


@pytest.mark.parametrize(
    ("source", "count"),
    [
        ("text.splitlines()", 1),
        ("(self.__doc__ or '').strip().splitlines()", 0),
        ("open(path)", 1),
        ("open(path, 'w')", 1),
        ("open(path, 'wb' if force else 'xb')", 0),
        ("open(path, encoding='utf-8')", 0),
        ("os.open(path, os.O_RDONLY)", 0),
        ("subprocess.run(words, text=True)", 1),
        ("subprocess.run(words, encoding='utf-8', errors='replace')", 0),
        ("path.read_text()", 1),
    ],
)
def test_planted_accident_is_found(source: str, count: int) -> None:
    assert len(text_by_accident(source)) == count


def test_locale_without_unicode(tmp_path: Path) -> None:
    """The C locale, as it is without Python's coercion: names of files are bytes."""
    name = tmp_path / os.fsdecode(b"\xe4\xb8\xad\xff\x1b.py")
    name.write_text("raise SystemExit(7)")
    environment = clean_environment(LC_ALL="C", PYTHONCOERCECLOCALE="0", PYTHONUTF8="0")
    del environment["PYTHONIOENCODING"]
    assert run([*HAKMEM, "run", str(name)], environment=environment).returncode == 7
    result = run([*HAKMEM, "plot", str(name)], environment=environment)
    assert result.stderr.startswith(f"hakmem: error: {tmp_path}/\\xe4\\xb8\\xad\\xff\\x1b.py is neither a recording")
