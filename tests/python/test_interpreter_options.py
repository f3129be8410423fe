"""Options of python behind `hakmem run`: the error line names a command, and that command works."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from python_support import HAKMEM, clean_environment, run

RUN = [*HAKMEM, "run"]
TELL = "import sys; print(sys.argv, sys.flags, sys.warnoptions, sys._xoptions)"

OPTIONS = [
    "-u", "-O", "-OO", "-I", "-E", "-B", "-s", "-q", "-v", "-b", "-bb", "-d", "-i", "-R", "-t", "-uOB",
    "-W error", "-Werror", "-Wd", "-W ignore::DeprecationWarning:a", "-uW error", "-uWerror", "-W error -W default",
    "-X dev", "-Xdev", "-X utf8=1", "-uXdev", "-X dev -W error -O", "-X 'name=with space'",
    "--check-hash-based-pycs always", "-O --check-hash-based-pycs never -u",
]  # fmt: skip


def hinted_command(words: list[str], cwd: Path, launcher: list[str] = RUN) -> str:
    result = run([*launcher, *words], cwd=cwd)
    assert (result.returncode, result.stdout) == (2, "")
    match = re.fullmatch(
        r"hakmem: error: unknown option '(\S+)' of hakmem run; options of python go before: ([^\n]+)\n", result.stderr
    )
    assert match, result.stderr
    assert match[1] in words or any(word.startswith(match[1]) for word in words)
    return match[2]


def run_in_shell(command: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return run(["sh", "-c", command], cwd=cwd)


def assert_hint_works(options: str, program: list[str], cwd: Path) -> None:
    words = [*shlex.split(options), *program]
    expected = run([sys.executable, *words], cwd=cwd)
    result = run_in_shell(hinted_command(words, cwd), cwd)
    assert (result.stdout, result.returncode) == (expected.stdout, expected.returncode), result.stderr
    assert expected.returncode == 0, expected.stderr


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    (tmp_path / "a.py").write_text(TELL)
    return tmp_path


@pytest.mark.parametrize("options", [*OPTIONS, *(["-P", "-uP"] if sys.version_info >= (3, 11) else [])])
def test_the_hint_is_a_command_that_works(options: str, directory: Path) -> None:
    assert_hint_works(options, ["a.py", "x", "-u", "with space"], directory)


@pytest.mark.parametrize("program", [
    ["-c", TELL, "-u"], ["-m", "a", "-c"], ["-ma"], [f"-c{TELL}"], ["-", "x"], ["--", "a.py", "x"], ["./a.py"],
])  # fmt: skip
def test_it_carries_every_kind_of_program(program: list[str], directory: Path) -> None:
    assert_hint_works("-X dev", program, directory)


@pytest.mark.parametrize("words", [["-uc", TELL, "x"], ["-ma", "-u"], ["-Oma"], [f"-Ouc{TELL}"]])
def test_a_program_may_share_the_word_of_the_flags(words: list[str], directory: Path) -> None:
    if words[0].startswith("-m"):
        assert run([*RUN, *words], cwd=directory).returncode == 0
    else:
        assert_hint_works("", words, directory)


def test_it_carries_the_options_of_hakmem(directory: Path) -> None:
    for words in (["--stats", "-u", "a.py", "--require"], ["-u", "--stats", "a.py", "--require"]):
        command = hinted_command(words, directory)
        assert command.endswith(" -u -m hakmem run --stats a.py --require")
        result = run_in_shell(command, directory)
        assert result.returncode == 0
        assert "hakmem: stats" in result.stderr


def test_it_carries_the_options_that_python_has_already(directory: Path) -> None:
    launcher = [sys.executable, "-O", "-W", "error", *RUN[1:]]
    assert hinted_command(["-u", "a.py"], directory, launcher).endswith(" -O -W error -u -m hakmem run a.py")


def test_python_is_named_as_the_shell_finds_it(directory: Path) -> None:
    beside, name = os.path.split(sys.executable)
    for path, expected in ((f"{beside}:/bin:/usr/bin", None), ("/nonexistent", sys.executable)):
        result = run([*RUN, "-u", "a.py"], cwd=directory, environment=clean_environment(PATH=path))
        python = shlex.split(result.stderr.split("go before: ")[1])[0]
        assert python == expected or (expected is None and python in ("python", "python3", sys.executable)), name


def test_a_command_of_several_lines_is_left_out(directory: Path) -> None:
    assert hinted_command(["-u", "-c", "print(1)\nprint(2)"], directory).endswith(" -u -m hakmem run -c ...")


NAMELESS = """
import ctypes, os, sys
words = [b"", *map(os.fsencode, sys.argv[1:])]
variables = [b"PATH=/nowhere", b"PYTHONPATH=" + os.fsencode(os.pathsep.join(filter(None, sys.path)))]
libc = ctypes.CDLL(None)
libc.execve(os.fsencode(sys.executable), (ctypes.c_char_p * (len(words) + 1))(*words, None),
            (ctypes.c_char_p * 3)(*variables, None))
"""


def test_interpreter_that_was_called_by_no_name(directory: Path) -> None:
    """It does not know its own file then: sys.executable is empty."""
    nameless = [sys.executable, "-c", NAMELESS, "-m", "hakmem", "run"]
    hint = hinted_command(["-u", "a.py"], directory, nameless)
    assert re.fullmatch(r"/\S+ -u -m hakmem run a\.py", hint)
    result = run([*nameless, "--all", "a.py"], cwd=directory)
    assert (result.returncode, result.stdout[:8]) == (0, "['a.py']"), result.stderr
    assert result.stderr == ""


@pytest.mark.parametrize(("words", "named"), [
    (["-S", "a.py"], "'-S' of python hides installed packages"),
    (["-uS", "a.py"], "'-S' of python hides installed packages"),
    (["-x", "a.py"], "'-x' of python does not reach"),
    (["-Z", "a.py"], "unknown option '-Z'"),
    (["-uZ", "a.py"], "unknown option '-uZ'"),
    (["-u", "-Z", "a.py"], "unknown option '-Z'"),
    (["-J", "a.py"], "unknown option '-J'"),
    (["-u", "--nonsense", "a.py"], "unknown option '--nonsense'"),
    (["-u"], "behind '-u'"),
    (["-W"], "behind '-W'"),
    (["-W", "error"], "behind 'error'"),
])  # fmt: skip
def test_where_no_command_works_the_line_says_why(words: list[str], named: str, directory: Path) -> None:
    result = run([*RUN, *words], cwd=directory)
    assert (result.returncode, result.stdout) == (2, "")
    assert re.fullmatch(r"hakmem: error: [^\n]+\n", result.stderr)
    assert named in result.stderr
    assert "go before" not in result.stderr
