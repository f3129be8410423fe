"""What the terminal, the environment and the libraries say of themselves costs no report, and is shown as a line."""

from __future__ import annotations

import contextlib
import os
import pty
import subprocess
from pathlib import Path

import pytest
from hakmem.shown import shown
from measure_support import hakmem_command
from python_support import HAKMEM, clean_environment

RECORDING = """{"hakmem_record": 1}
{"seconds": 0.1, "rss_bytes": 9, "pss_bytes": 8, "cpu_seconds": 0.1, "processes": 1}
"""


def doctor_on_a_terminal(cwd: Path, **variables: str) -> bytes:
    ours, its = pty.openpty()
    command = [*HAKMEM, "doctor", "--seconds", "0"]
    with subprocess.Popen(command, stdout=its, stderr=its, env=clean_environment(**variables), cwd=cwd) as process:
        os.close(its)
        told = b""
        with contextlib.suppress(OSError):  # a terminal's end
            while chunk := os.read(ours, 4096):
                told += chunk
    os.close(ours)
    assert process.returncode == 0, told
    return told


def test_narrow_terminal_without_unicode(tmp_path: Path) -> None:
    """What does not fit is cut by rich, which has an ellipsis of its own for that."""
    told = doctor_on_a_terminal(tmp_path, COLUMNS="30", PYTHONIOENCODING="ascii:strict", TERM="xterm")
    assert rb"\u2026" in told
    assert told.isascii()


@pytest.mark.parametrize(
    ("columns", "lines"), [("0", "0"), ("-1", "²"), ("²", ""), ("1" * 5000, "1" * 5000), ("\x1b", "\u202e")]
)
def test_terminal_of_no_size_gets_the_report(tmp_path: Path, columns: str, lines: str) -> None:
    told = doctor_on_a_terminal(tmp_path, COLUMNS=columns, LINES=lines)
    assert (b"resident (RSS)" in told, b"\nDo: " in told) == (True, True), told
    piped = hakmem_command("doctor", "--seconds", "0", cwd=tmp_path, COLUMNS=columns, LINES=lines)
    assert (piped.returncode, "\nDo: " in piped.stdout) == (0, True), piped.stderr


@pytest.mark.parametrize("form", ["png", "svg"])
def test_what_matplotlib_says_is_a_line(tmp_path: Path, form: str) -> None:
    """It logs paths of the environment, and words of a matplotlibrc of whoever wrote one into this directory."""
    (tmp_path / "x.jsonl").write_text(RECORDING)
    (tmp_path / "matplotlibrc").write_text("font.sans-serif: Nowhere\x1b[31m, There\u202e\n")
    configuration = "/proc/\x1b[31m\u202e\nx"
    result = hakmem_command("plot", "x.jsonl", "-o", f"x.{form}", cwd=tmp_path, MPLCONFIGDIR=configuration)
    assert (result.returncode, result.stdout) == (0, f"x.{form}\n")
    lines = result.stderr.split("\n")[:-1]
    assert all(line.startswith("hakmem: warning: matplotlib") and line.isprintable() for line in lines), lines
    assert len(set(lines)) == len(lines) >= 2
    assert shown("Nowhere\x1b[31m, There\u202e") in result.stderr
    assert shown(configuration) in result.stderr


def test_warnings_of_libraries_are_lines(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text("import psutil, warnings\n" + WARN)
    result = hakmem_command("record", "--", "true", cwd=tmp_path, PYTHONPATH=str(tmp_path))
    assert result.stderr.startswith("hakmem: warning: UserWarning: \\x1b[31m\\n\nhakmem: exit code 0; ")


WARN = """
def process(number, real=psutil.Process):
    warnings.warn("\\x1b[31m\\n", stacklevel=1)
    return real(number)
psutil.Process = process
"""
