"""The command `hakmem` but for run and the startup files."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import hakmem
import pytest
from python_support import HAKMEM, clean_environment, output_of, run

COMMANDS = [
    "run", "exec", "status", "options", "install-startup", "uninstall-startup", "compare", "record", "plot", "doctor",
    "stats",
]  # fmt: skip


def test_version() -> None:
    assert output_of(run([*HAKMEM, "--version"])) == f"hakmem {hakmem.__version__}\n"


def test_help_lists_every_command() -> None:
    output = output_of(run([*HAKMEM, "--help"]))
    for command in COMMANDS:
        assert re.search(rf"^  {command} +\w.+\.$", output, re.MULTILINE), output


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(command: str) -> None:
    output = output_of(run([*HAKMEM, command, "--help"]))
    assert f"usage: hakmem {command}" in output
    assert len(output.splitlines()) > 5


@pytest.mark.parametrize(
    "words", [[], ["nonsense"], ["--nonsense"], ["status", "x"], ["options", "--json", "--markdown"]]
)
def test_bad_usage_is_one_line_and_2(words: list[str]) -> None:
    result = run([*HAKMEM, *words])
    assert (result.returncode, result.stdout) == (2, "")
    assert re.fullmatch(r"hakmem: error: [^\n]+\n", result.stderr)


@pytest.mark.parametrize(("word", "nearest"), [
    ("stat", "stats"), ("statuss", "status"), ("install", "install-startup"),
    ("uninstall_startup", "uninstall-startup"),
])  # fmt: skip
def test_unknown_command_names_the_one_that_was_meant(word: str, nearest: str) -> None:
    result = run([*HAKMEM, word])
    assert result.stderr == f"hakmem: error: there is no command '{word}'; the nearest is '{nearest}'\n"


@pytest.mark.parametrize("word", ["", "nonsense", "begin", "script.py"])
def test_unknown_command_lists_all_where_none_is_near(word: str) -> None:
    result = run([*HAKMEM, word])
    assert result.stderr == f"hakmem: error: there is no command '{word}'; give one of {', '.join(COMMANDS)}\n"


def test_status_where_it_is_possible() -> None:
    status = json.loads(output_of(run([*HAKMEM, "status", "--json"])))
    assert status["possible"] is True
    assert status["reason"] is None
    assert status["enabled"] is False
    assert status["allocator"] == "pymalloc"
    assert status["version"] == hakmem.__version__
    assert status["changed_options"] == {}
    text = output_of(run([*HAKMEM, "status"]))
    assert re.search(r"^can be enabled +yes$", text, re.MULTILINE)
    assert "\x1b" not in text


def test_status_shows_what_the_environment_changed() -> None:
    environment = clean_environment(HAKMEM="0", HAKMEM_RETAIN_BYTES="1000", HAKMEM_THP="never", HAKMEM_COUNTERS="0")
    status = json.loads(output_of(run([*HAKMEM, "status", "--json"], environment=environment)))
    assert status["possible"] is False
    assert "HAKMEM=0" in status["reason"]
    assert status["changed_options"] == {
        "retain_bytes": {"value": 1000, "default": 4 << 20},
        "thp": {"value": "never", "default": "auto"},
    }
    assert "retain_bytes=1000, thp=never" in output_of(run([*HAKMEM, "status"], environment=environment))


def test_options_as_json_is_the_module_s_table() -> None:
    assert json.loads(output_of(run([*HAKMEM, "options", "--json"]))) == hakmem.options()


def test_options_as_text_shows_values_and_defaults() -> None:
    output = output_of(run([*HAKMEM, "options"], environment=clean_environment(HAKMEM_RETAIN_BYTES="7")))
    assert "retain_bytes = 7 bytes (default 4194304)\n" in output
    assert "domains = mem,obj\n" in output
    assert "HAKMEM_DOMAINS" in output
    assert len(output.splitlines()) == 2 * len(hakmem.options())


def test_options_as_markdown_do_not_depend_on_the_environment() -> None:
    command = [*HAKMEM, "options", "--markdown"]
    page = output_of(run(command))
    assert page == output_of(run(command, environment=clean_environment(HAKMEM_RETAIN_BYTES="7")))
    rows = [line for line in page.splitlines() if line.startswith("| `")]
    assert len(rows) == len(hakmem.options())
    assert len({row.count("|") for row in rows}) == 1


@pytest.mark.parametrize(
    ("variable", "value", "named"),
    [
        ("HAKMEM_RETAIN_BYTES", "many", ["HAKMEM_RETAIN_BYTES=many", "4194304"]),
        ("HAKMEM_PURGE_DELAY_MS", "-5", ["HAKMEM_PURGE_DELAY_MS=-5", "250"]),
        ("HAKMEM_DOMAINS", "mem,object", ["HAKMEM_DOMAINS=mem,object", "raw,mem,obj"]),
        ("HAKMEM_RETAIN_BYTE", "1", ["HAKMEM_RETAIN_BYTE ", "HAKMEM_RETAIN_BYTES"]),
        ("HAKMEM_NONSENSE", "1", ["HAKMEM_NONSENSE ", "'hakmem options'"]),
    ],
)
def test_bad_environment_is_one_warning_and_goes_on(variable: str, value: str, named: list[str]) -> None:
    result = run([*HAKMEM, "run", "-c", "print(1)"], environment=clean_environment(**{variable: value}))
    assert (result.returncode, result.stdout) == (0, "1\n")
    assert re.fullmatch(r"hakmem: warning: [^\n]+\n", result.stderr)
    assert all(text in result.stderr for text in named), result.stderr


def run_with_closed(streams: str, words: list[str], cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    return run(["sh", "-c", f'exec "$@" {streams}', "sh", *words], cwd=cwd)


CLOSED = ["<&-", ">&-", "2>&-", ">&- 2>&-", "<&- >&- 2>&-"]


@pytest.mark.parametrize("streams", CLOSED)
@pytest.mark.parametrize("words", [["status"], ["options", "--json"], ["--help"], ["status", "--help"]])
def test_closed_streams_are_no_failure(streams: str, words: list[str]) -> None:
    result = run_with_closed(streams, [*HAKMEM, *words])
    assert (result.returncode, result.stderr) == (0, "")


@pytest.mark.parametrize("words", [["nonsense"], ["status", "x"], ["stats", "4194304", "--json"], ["plot", "/nowhere"]])
def test_errors_never_go_to_stdout(words: list[str]) -> None:
    for streams in ("2>&-", "<&- 2>&-"):
        result = run_with_closed(streams, [*HAKMEM, *words])
        assert (result.returncode in (1, 2), result.stdout) == (True, "")


def test_run_keeps_closed_streams_closed() -> None:
    say = "import sys; sys.stdin is None and sys.stderr is None and print('closed')"
    assert run_with_closed("<&- 2>&-", [*HAKMEM, "run", "-c", say]).stdout == "closed\n"
    tracing = [sys.executable, "-X", "tracemalloc", "-m", "hakmem", "run"]
    assert run_with_closed("2>&-", [*tracing, "-c", "print(1)"]).stdout == "1\n"
    assert run_with_closed("2>&-", [*tracing, "--require", "-c", "print(1)"]).stdout == ""
