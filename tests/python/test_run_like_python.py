"""The same program under `python` and under `hakmem run`: the same stdout, stderr and exit code."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from programs import PROGRAMS, Program
from python_support import SECONDS_MAX, clean_environment, run

# As pip writes it for the console script.
CONSOLE_SCRIPT = "import sys\nfrom hakmem.cli import main\nif __name__ == '__main__':\n    sys.exit(main())\n"


@pytest.fixture(scope="session")
def console_script(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("bin") / "hakmem"
    path.write_text(CONSOLE_SCRIPT)
    return path


def without_addresses(text: str) -> str:
    """Objects lie elsewhere in every process."""
    return re.sub(r"\b0x[0-9a-f]{6,}", "0x...", text)


def run_program(launcher: list[str], program: Program, directory: Path) -> tuple[str, str, int]:
    for name, content in program.files.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    for name, target in program.links.items():
        if not (directory / name).is_symlink():
            (directory / name).symlink_to(target)
    result = run(
        [sys.executable, *program.flags, *launcher, *program.words],
        cwd=directory,
        environment=clean_environment(**program.environment),
        stdin=program.stdin,
    )
    return without_addresses(result.stdout), without_addresses(result.stderr), result.returncode


@pytest.fixture(scope="session")
def under_python(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Path, tuple[str, str, int]]]:
    """What each program did under `python`, and where; filled on demand."""
    return {}


@pytest.mark.parametrize("way", ["module", "console script"])
@pytest.mark.parametrize("name", PROGRAMS)
def test_same_as_under_python(
    name: str,
    way: str,
    console_script: Path,
    under_python: dict[str, tuple[Path, tuple[str, str, int]]],
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    program = PROGRAMS[name]
    if name not in under_python:
        directory = tmp_path_factory.mktemp("program")
        under_python[name] = (directory, run_program([], program, directory))
    directory, expected = under_python[name]
    launcher = ["-m", "hakmem", "run"] if way == "module" else [str(console_script), "run"]
    assert run_program(launcher, program, directory) == expected


@pytest.mark.parametrize("launcher", [[], ["-m", "hakmem", "run"], ["-m", "hakmem", "run", "--all"]])
def test_prompt_on_a_terminal_follows_where_python_inspects(launcher: list[str]) -> None:
    controller, terminal = os.openpty()
    os.write(controller, b"print(x * 7)\nraise SystemExit(4)\n")
    result = subprocess.run(
        [sys.executable, *launcher, "-c", "x = 6"],
        env=clean_environment(PYTHONINSPECT="1", PYTHON_BASIC_REPL="1", TERM="dumb"),
        stdin=terminal,
        capture_output=True,
        text=True,
        timeout=SECONDS_MAX,
    )
    os.close(terminal)
    os.close(controller)
    assert (result.returncode, "42" in result.stdout, "Traceback" in result.stderr) == (4, True, False)


def test_error_lines_begin_with_the_name_that_was_typed(tmp_path: Path) -> None:
    """`python` where that was typed. Behind the installed `hakmem` nobody typed the path in its first line."""
    directory, name = os.path.split(sys.executable)
    environment = clean_environment(PATH=f"{directory}:{os.environ['PATH']}")
    installed = tmp_path / "hakmem"
    installed.write_text(f"#!{sys.executable}\n{CONSOLE_SCRIPT}")
    installed.chmod(0o755)
    for missing in ("nosuch.py", "no/such.py"):
        expected = run([name, missing], cwd=tmp_path, environment=environment)
        assert expected.stderr.startswith(f"{name}: can't open file")
        for launcher in ([name, "-m", "hakmem"], [str(installed)], ["./hakmem"]):
            result = run([*launcher, "run", missing], cwd=tmp_path, environment=environment)
            assert (result.stderr, result.returncode) == (expected.stderr, expected.returncode)


def test_same_in_a_working_directory_that_was_removed(tmp_path: Path, console_script: Path) -> None:
    absolute = tmp_path / "absolute.py"
    absolute.write_text("import sys\nprint(sys.argv, sys.path)\n")
    in_removed = ["sh", "-c", 'mkdir removed && cd removed && rmdir ../removed && exec "$@"', "sh", sys.executable]
    for words in (
        ["x.py"],
        ["../x.py"],
        [str(absolute)],
        ["-m", "json.tool", "--help"],
        ["-m", "nosuch"],
        ["-c", TELL],
    ):
        outcomes = []
        for launcher in ([], ["-m", "hakmem", "run"], [str(console_script), "run"]):
            result = run([*in_removed, *launcher, *words], cwd=tmp_path, environment=clean_environment())
            outcomes.append((result.stdout, result.stderr, result.returncode))
        assert outcomes[0] == outcomes[1] == outcomes[2]


TELL = "import sys; print(sys.path)"


def test_the_table_sees_what_it_is_for(tmp_path: Path) -> None:
    """The rows are not equal for want of anything to compare: they print, fail and die."""
    outcomes = {name: run_program([], PROGRAMS[name], tmp_path) for name in ("exception", "sigterm", "exit text")}
    assert "ZeroDivisionError" in outcomes["exception"][1]
    assert outcomes["sigterm"][2] == -15
    assert outcomes["exit text"] == ("out\n", "text for stderr\n", 1)


def test_hakmem_serves_the_program(tmp_path: Path) -> None:
    program = Program(
        ["s.py"], {"s.py": "import hakmem\nprint(hakmem.is_enabled(), hakmem.stats()['live_blocks'] > 0)\n"}
    )
    assert run_program(["-m", "hakmem", "run"], program, tmp_path) == ("True True\n", "", 0)


def test_a_reader_that_goes_away(tmp_path: Path) -> None:
    """`hakmem run ... | head -1` ends as `python ... | head -1` does."""
    script = tmp_path / "s.py"
    script.write_text("for number in range(200000):\n    print(number)\n")
    outcomes = []
    for launcher in ([], ["-m", "hakmem", "run"]):
        process = subprocess.Popen(
            [sys.executable, *launcher, str(script)],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=clean_environment(), text=True,
        )  # fmt: skip
        assert process.stdout is not None
        assert process.stderr is not None
        first = process.stdout.readline()
        process.stdout.close()
        outcomes.append((first, process.stderr.read(), process.wait(timeout=60)))
        process.stderr.close()
    assert outcomes[0] == outcomes[1]
    assert "BrokenPipeError" in outcomes[0][1]
