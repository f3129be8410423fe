"""hakmem-exec: what the program and its children see, and what cannot be served."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from libc_support import Library, Programs, clean_environment, output_of, run

SHOW = "import os, sys; print(sys.argv[1:], sorted(name for name in os.environ if 'HAK' in name or 'PRELOAD' in name))"
SHOW_CHILD = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {SHOW!r}])"
SHOW_MAPS = "print('hakmem-malloc' in open('/proc/self/maps').read())"
SHOW_CHILD_MAPS = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {SHOW_MAPS!r}])"


def test_program_sees_its_own_arguments_and_environment(library: Library) -> None:
    assert output_of(library.exec("--", sys.executable, "-c", SHOW, "a b", "", "--c")) == "['a b', '', '--c'] []\n"
    assert output_of(library.exec(sys.executable, "-c", SHOW_CHILD)) == "[] []\n"


def test_former_preload_stays(library: Library, os_faults: Path) -> None:
    script = "import os; print(os.environ['LD_PRELOAD'], 'os_faults' in open('/proc/self/maps').read())"
    output = output_of(library.exec(sys.executable, "-c", script, LD_PRELOAD=str(os_faults)))
    assert output == f"{os_faults} True\n"
    script = "import os; print(repr(os.environ['LD_PRELOAD']))"
    assert output_of(library.exec(sys.executable, "-c", script, LD_PRELOAD="")) == "''\n"


def test_children_are_reached_on_request(library: Library) -> None:
    assert output_of(library.exec(sys.executable, "-c", SHOW_MAPS)) == "True\n"
    assert output_of(library.exec(sys.executable, "-c", SHOW_CHILD_MAPS)) == "False\n"
    assert output_of(library.exec("--children", sys.executable, "-c", SHOW_CHILD_MAPS)) == "True\n"


def test_program_is_looked_for_as_the_c_library_does(library: Library, tmp_path: Path) -> None:
    """A folder of the program's name is none, though it can be entered."""
    (tmp_path / "showing").mkdir()
    (tmp_path / "later").mkdir()
    program = tmp_path / "later" / "showing"
    program.write_text(f"#!{sys.executable}\n{SHOW_MAPS}\n")
    program.chmod(0o755)
    path = os.pathsep.join([str(tmp_path), str(tmp_path / "later"), os.environ["PATH"]])
    assert output_of(library.exec("env", "showing", PATH=path)) == "True\n"


def test_exit_code_and_stdin_are_the_programs(library: Library) -> None:
    assert library.exec("sh", "-c", "exit 7").returncode == 7
    assert library.exec("sh", "-c", "kill -9 $$").returncode == -9
    command = [str(library.launcher), "cat"]
    result = subprocess.run(command, input="text\n", capture_output=True, text=True, env=clean_environment())
    assert result.stdout == "text\n"


def test_launcher_is_found_by_path_and_by_link(library: Library, tmp_path: Path) -> None:
    link = tmp_path / "hakmem-exec"
    link.symlink_to(library.launcher)
    assert output_of(run(link, sys.executable, "-c", SHOW_MAPS)) == "True\n"
    path = f"{tmp_path}{os.pathsep}{os.environ['PATH']}"
    assert output_of(run("sh", "-c", f'hakmem-exec {sys.executable} -c "{SHOW_MAPS}"', PATH=path)) == "True\n"


def test_zero_wins(library: Library) -> None:
    assert output_of(library.exec(sys.executable, "-c", SHOW_MAPS, HAKMEM="0")) == "False\n"
    required = library.exec("--require", "true", HAKMEM="0")
    assert required.returncode == 1
    assert required.stderr == "hakmem: error: HAKMEM=0 is set, so true would run without hakmem; unset it\n"


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        ([], 2, "the command is missing"),
        (["--wrong", "true"], 2, "there is no option --wrong"),
        (["no-such-program"], 127, "there is no program no-such-program"),
        (["/no/such/program"], 127, "there is no program /no/such/program"),
        (["/etc/passwd"], 126, "/etc/passwd is no program that may be executed"),
        (["/etc/"], 126, "/etc/ is no program that may be executed"),
    ],
)
def test_bad_usage_is_one_line(library: Library, arguments: list[str], code: int, words: str) -> None:
    result = library.exec(*arguments)
    assert result.returncode == code
    assert result.stderr.startswith("hakmem: error: ")
    assert words in result.stderr
    assert result.stderr.count("\n") == 1


EXECUTE = ("execve", "execv", "execvp", "execvpe", "execl", "execlp", "execle", "fexecve")
# The least that a thread may have; the program's own is 0.
STACKS = (0, 16384)


@pytest.mark.parametrize("stack_bytes", STACKS)
@pytest.mark.parametrize("function", EXECUTE)
def test_process_that_goes_on_as_another_program_stays_served(
    library: Library, programs: Programs, function: str, stack_bytes: int
) -> None:
    if os.sysconf("SC_THREAD_STACK_MIN") > STACKS[1]:
        pytest.skip("threads have larger stacks here")
    result = library.exec(programs("executes"), function, str(stack_bytes))
    assert library.file.name in output_of(result)


@pytest.mark.parametrize("stack_bytes", STACKS)
@pytest.mark.parametrize("function", ["posix_spawn", "posix_spawnp"])
def test_child_runs_as_it_is(library: Library, programs: Programs, function: str, stack_bytes: int) -> None:
    program = programs("executes")
    assert library.file.name not in output_of(library.exec(program, function, str(stack_bytes)))
    assert library.file.name in output_of(library.run(program, function, str(stack_bytes)))


def require_not_served(library: Library, words: str, *command: str | Path, prints: str) -> None:
    """One line says why, and the program runs as it would have; with --require it does not run."""
    result = library.exec(*command)
    assert result.stdout == prints, result.stderr
    assert result.stderr.startswith("hakmem: warning: ")
    assert words in result.stderr
    assert result.stderr.count("\n") == 1
    required = library.exec("--require", *command)
    assert (required.returncode, required.stdout) == (1, "")
    assert words in required.stderr
    assert required.stderr.count("\n") == 1


def test_static_program(library: Library, programs: Programs) -> None:
    require_not_served(library, "is a static program", programs("hello", "-static", output="static"), prints="hello\n")


def test_script_of_a_static_program(library: Library, programs: Programs, tmp_path: Path) -> None:
    script = tmp_path / "script"
    script.write_text(f"#!{programs('hello', '-static', output='static')}\n")
    script.chmod(0o755)
    require_not_served(library, "is a static program", script, prints="hello\n")


def test_script_is_judged_by_its_interpreter(library: Library, tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(f"#!/usr/bin/env -S {sys.executable}\n{SHOW_MAPS}\n")
    script.chmod(0o755)
    assert output_of(library.exec(script)) == "True\n"


def test_sanitizer_build(library: Library, programs: Programs) -> None:
    program = programs("hello", "-fsanitize=address", output="sanitized")
    require_not_served(library, "is built with a sanitizer", program, prints="hello\n")
    result = library.exec("env", program)
    assert (result.returncode, result.stdout) == (0, "hello\n"), result.stderr
    assert result.stderr.startswith(f"hakmem: warning: {program} runs without hakmem: ")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file to another user")
def test_set_user_id_program(library: Library, programs: Programs, tmp_path: Path) -> None:
    program = tmp_path / "other-user"
    shutil.copy(programs("hello"), program)
    os.chown(program, 65534, 65534)
    program.chmod(0o4755 | stat.S_ISUID)
    tmp_path.chmod(0o755)
    require_not_served(library, "is a set-user-ID program", program, prints="hello\n")


@pytest.mark.skipif(shutil.which("musl-gcc") is None, reason="no musl compiler here (Debian: musl-tools)")
def test_program_of_another_c_library(library: Library, programs: Programs, tmp_path: Path) -> None:
    program = tmp_path / "musl"
    source = Path(__file__).parent / "programs" / "hello.c"
    subprocess.run(["musl-gcc", "-o", str(program), str(source)], check=True)
    require_not_served(library, "is for musl", program, prints="hello\n")


def test_program_of_another_machine(library: Library, programs: Programs, tmp_path: Path) -> None:
    other = bytearray(programs("hello").read_bytes())
    other[18] ^= 1  # the machine
    program = tmp_path / "other-machine"
    program.write_bytes(other)
    program.chmod(0o755)
    result = library.exec("--require", program)
    assert result.returncode == 1
    assert "is for another machine" in result.stderr


STRANGE = "a\x1b[31m\n\u009b\u202e\u4e2d"
SHOWN = "a?[31m" + 9 * "?"  # one for each byte


def test_names_are_shown_on_one_line(library: Library, programs: Programs, tmp_path: Path) -> None:
    """What a terminal obeys may be in the name of a program, of a library, and in the first line of a script."""
    for word, text in ((f"no{STRANGE}", "there is no program no"), (f"--{STRANGE}", "there is no option --")):
        result = library.exec(word)
        assert result.stderr.startswith(f"hakmem: error: {text}{SHOWN}")
        assert result.stderr.count("\n") == 1
    static = tmp_path / STRANGE
    shutil.copy(programs("hello", "-static", output="static"), static)
    become = f"import os, sys; os.execv({str(static)!r}, ['hello'])"
    for words in ([static], [sys.executable, "-c", become]):
        result = library.exec(*words)
        assert result.stderr.startswith(f"hakmem: warning: {tmp_path}/{SHOWN} ")
        assert (result.stdout, result.stderr.count("\n")) == ("hello\n", 1)
    other = tmp_path / f"lib{STRANGE}.so"
    shutil.copy(programs("other_malloc", "-shared", "-fPIC", output="libother_malloc.so"), other)
    program = programs("hello", f"-Wl,-rpath,{programs.folder}", f"-L{programs.folder}", output="hello_plain")
    result = run(program, LD_PRELOAD=f"{other}:{library.file}")
    assert result.stderr.startswith(f"hakmem: warning: malloc is not served: {tmp_path}/lib{SHOWN}.so has its own")
    assert result.stderr.count("\n") == 1


def test_missing_library(library: Library, tmp_path: Path) -> None:
    launcher = tmp_path / "hakmem-exec"
    shutil.copy(library.launcher, launcher)
    result = run(launcher, "echo", "ran")
    assert result.stdout == "ran\n"
    assert "libhakmem-malloc.so is missing" in result.stderr


def test_library_in_a_path_that_the_loader_would_cut(library: Library, tmp_path: Path) -> None:
    folder = tmp_path / "a folder"
    folder.mkdir()
    for file in (library.launcher, library.file):
        shutil.copy(file, folder)
    result = run(folder / "hakmem-exec", "echo", "ran")
    assert result.stdout == "ran\n"
    assert "has a colon or a space" in result.stderr


def test_another_allocator_comes_first(library: Library, programs: Programs, tmp_path: Path) -> None:
    other = programs("other_malloc", "-shared", "-fPIC", output="libother_malloc.so")
    program = programs("hello", f"-Wl,-rpath,{programs.folder}", f"-L{programs.folder}", output="hello_plain")
    result = run(program, LD_PRELOAD=f"{other}:{library.file}")
    assert result.stdout == "hello\n"
    assert "hakmem: warning: malloc is not served: " in result.stderr
    assert "libother_malloc.so has its own" in result.stderr
