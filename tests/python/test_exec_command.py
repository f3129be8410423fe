"""`hakmem exec`: any program with malloc served, or one line that says why not, and then as it would have run."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from hakmem import preload
from python_support import HAKMEM, clean_environment, output_of, run

EXEC = [*HAKMEM, "exec"]
COUNT = ["grep", "-c", preload.LIBRARY_NAME, "/proc/self/maps"]
SHOW = 'grep -c libhakmem-malloc.so /proc/$$/maps; env | grep -cE "^(LD_PRELOAD|_HAKMEM)"; true'


def executable(path: Path, content: bytes | str) -> Path:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    path.chmod(0o755)
    return path


def test_program_is_served_and_its_environment_is_its_own() -> None:
    loaded, shown = output_of(run([*EXEC, "sh", "-c", SHOW])).split()
    assert int(loaded) > 0
    assert shown == "0"
    assert output_of(run([*EXEC, "--", "sh", "-c", f"{' '.join(COUNT)}; true"])) == "0\n", "children are not reached"
    assert int(output_of(run([*EXEC, "--children", "--", "sh", "-c", f"{' '.join(COUNT)}; true"]))) > 0


def test_environment_words_input_and_exit_code_are_the_programs_own() -> None:
    code = "import os, sys; print(sorted(os.environ.items()), sys.argv, input()); sys.exit(7)"
    command = [sys.executable, "-c", code, "a b", "--children"]
    environment = clean_environment(STRANGE="\udcff=\n")
    ours, stock = (run(words, stdin="heard\n", environment=environment) for words in ([*EXEC, *command], command))
    assert (ours.returncode, ours.stdout, ours.stderr) == (stock.returncode, stock.stdout, stock.stderr)
    assert ours.returncode == 7


def test_signals_that_python_ignores_are_not_ignored() -> None:
    command = ["grep", "^SigIgn", "/proc/self/status"]
    assert output_of(run([*EXEC, *command])) == output_of(run(command))


@pytest.mark.parametrize("through", [["env"], ["sh", "-c", 'exec "$@"', "sh"], ["env", "sh", "-c", 'exec "$@"', "sh"]])
def test_process_that_goes_on_as_another_program_stays_served(through: list[str]) -> None:
    assert int(output_of(run([*EXEC, *through, "sh", "-c", SHOW])).split()[0]) > 0
    assert output_of(run([*EXEC, *through, "sh", "-c", SHOW])).split()[1] == "0"


def test_scripts(tmp_path: Path) -> None:
    for name, first_line in (("plain", "#!/bin/sh\n"), ("by_env", "#!/usr/bin/env sh\n"), ("none", "")):
        path = executable(tmp_path / name, f"{first_line}{SHOW}\necho $0 $1\n")
        loaded, shown, *words = output_of(run([*EXEC, str(path), "word"])).split()
        assert (int(loaded) > 0, shown, words) == (True, "0", [str(path), "word"])


def test_stats_are_printed_at_the_end() -> None:
    result = run([*EXEC, "--stats", "env", sys.executable, "-c", "print('out')"])
    assert result.stdout == "out\n"
    assert re.search(r"^hakmem [\d.]+, malloc\n  live bytes +\d+$", result.stderr, re.MULTILINE)


def test_command_that_is_not_there(tmp_path: Path) -> None:
    result = run([*EXEC, "no-such-program"])
    assert (result.returncode, result.stdout) == (127, "")
    assert result.stderr == "hakmem: error: 'no-such-program' was not found; name a program\n"
    (tmp_path / "text").write_text("text")
    result = run([*EXEC, str(tmp_path / "text")])
    assert result.returncode == 126
    assert result.stderr == f"hakmem: error: '{tmp_path}/text' is no program that may be executed\n"
    assert run(EXEC).returncode == run([*EXEC, "--unknown", "true"]).returncode == 2


def test_scripts_that_name_each_other_end() -> None:
    assert preload.obstacle_of_program("/proc/self/fd/no-such-file") == ""


def test_script_that_names_itself_ends(tmp_path: Path) -> None:
    path = executable(tmp_path / "script", f"#!{tmp_path}/script\n")
    assert preload.obstacle_of_program(str(path)) == ""


def test_static_program_runs_as_it_would_have(tmp_path: Path) -> None:
    source = tmp_path / "hello.c"
    source.write_text('#include <stdio.h>\nint main(void) { puts("hello"); return 3; }\n')
    program = tmp_path / "hello"
    try:
        subprocess.run(["cc", "-static", "-o", program, source], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("no compiler, or no static C library")
    result = run([*EXEC, str(program)])
    assert (result.returncode, result.stdout) == (3, "hello\n")
    reason = f"{program} is a static program, which has its malloc inside"
    assert result.stderr == f"hakmem: warning: {reason}; it runs without hakmem\n"
    result = run([*EXEC, "--require", str(program)])
    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr == f"hakmem: error: malloc cannot be served, and --require was given: {reason}\n"
    result = run([*EXEC, "env", str(program)])
    assert (result.returncode, result.stdout) == (3, "hello\n")
    assert f"hakmem: warning: {program} runs without hakmem: it is static" in result.stderr


def test_library_that_is_missing_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(preload, "library_path", lambda: str(tmp_path / "gone.so"))
    assert preload.obstacle_of_library().startswith(f"{tmp_path}/gone.so is missing; install hakmem again")
    (tmp_path / "a b.so").touch()
    monkeypatch.setattr(preload, "library_path", lambda: str(tmp_path / "a b.so"))
    assert "has a colon or a space" in preload.obstacle_of_library()


def test_switched_off() -> None:
    environment = clean_environment(HAKMEM="0")
    assert output_of(run([*EXEC, "sh", "-c", SHOW], environment=environment)).split()[0] == "0"
    result = run([*EXEC, "--require", "true"], environment=environment)
    assert result.returncode == 1
    assert result.stderr.endswith(": HAKMEM=0 is set in the environment\n")
