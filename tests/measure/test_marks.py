"""What hakmem keeps in a recorded process, marks and runs of the collector, in programs that do as they like."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest
from measure_support import hakmem_command, script
from python_support import SECONDS_MAX, clean_environment, json_of, output_of, run, run_code


def events_of(program: str, cwd: Path) -> list[dict[str, Any]]:
    """Record a program that ends well, under `python`; its marks and runs of the collector."""
    script(cwd, program)
    words = ("record", "--interval", "20", "--", sys.executable, "program.py")
    result = hakmem_command(*words, cwd=cwd)
    assert result.returncode == 0, result.stderr
    lines = [json.loads(line) for line in (cwd / "hakmem-record.jsonl").read_text().splitlines()]
    return [line for line in lines if "mark" in line or "gc_seconds" in line]


def marks_of(program: str, cwd: Path) -> list[str]:
    return [event["mark"] for event in events_of(program, cwd) if "mark" in event]


def test_numbers_of_descriptors_are_the_programs(tmp_path: Path) -> None:
    """The file of the marks is none of what the program opens under its number, and goes on getting them."""
    program = """
    import gc, hakmem, os
    hakmem.mark("first")
    os.closerange(3, 1024)
    files = [open(f"own {number}", "w+") for number in range(20)]
    hakmem.mark("second")
    gc.collect()
    for file in files:
        assert os.fstat(file.fileno()).st_size == 0, file.name
    """
    assert marks_of(textwrap.dedent(program), tmp_path) == ["first", "second"]


def test_file_that_got_the_number_of_the_recorders_inode_is_the_programs(tmp_path: Path) -> None:
    """Most file systems give the number of a file that is gone to the next one."""
    code = """
import hakmem, os
inode = os.stat("marks").st_ino
hakmem.mark("first")
links = {os.path.realpath(f"/proc/self/fd/{number}"): int(number) for number in os.listdir("/proc/self/fd")}
number = links[os.path.realpath("marks")]
os.closerange(3, 1024)
os.unlink("marks")  # the recorder has ended
own = []
while len(own) < 200 and not (own and os.fstat(own[-1]).st_ino == inode):
    own.append(os.open(f"own {len(own)}", os.O_RDWR | os.O_CREAT))
os.dup2(own[-1], number)
hakmem.mark("second")
assert os.fstat(own[-1]).st_size == 0
"""
    (tmp_path / "marks").touch()
    environment = clean_environment(_HAKMEM_MARKS_FILE=str(tmp_path / "marks"))
    output_of(run([sys.executable, "-c", code], environment=environment, cwd=tmp_path))


def test_a_limit_on_the_size_of_files_is_the_programs(tmp_path: Path) -> None:
    """Beyond it the kernel sends a signal, which the program expects for its own files alone."""
    program = """
    import hakmem, resource, signal
    got = []
    signal.signal(signal.SIGXFSZ, lambda *_: got.append("ours"))
    hakmem.mark("first")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1, hard))
    hakmem.mark("second")
    assert got == []
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGXFSZ])
    signal.raise_signal(signal.SIGXFSZ)
    hakmem.mark("third")
    signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGXFSZ])
    assert got == ["ours"]
    signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
    hakmem.mark("fourth")
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    hakmem.mark("fifth")
    """
    assert marks_of(textwrap.dedent(program), tmp_path) == ["first", "fifth"]


def test_marks_go_on_where_the_name_of_the_file_cannot_be_reached(tmp_path: Path) -> None:
    program = """
    import hakmem, os
    hakmem.mark("first")
    if os.geteuid() == 0:
        os.setgid(65534)
        os.setuid(65534)
    hakmem.mark("second")
    """
    assert marks_of(textwrap.dedent(program), tmp_path) == ["first", "second"]


@pytest.mark.parametrize("kind", ["link", "pipe", "second name"])
def test_name_that_became_somebody_elses_is_left_alone(tmp_path: Path, kind: str) -> None:
    """The variable outlives the recorder in the environment of a daemon's children."""
    own, name = tmp_path / "own", tmp_path / "marks"
    own.write_text("")
    if kind == "link":
        name.symlink_to(own)
    elif kind == "second name":
        name.hardlink_to(own)
    else:
        os.mkfifo(name)
    environment = clean_environment(_HAKMEM_MARKS_FILE=str(name), _HAKMEM_GC_RUNS="1")
    assert output_of(run_code("import hakmem; hakmem.mark('x'); print(1)", environment=environment)) == "1\n"
    assert own.read_text() == ""


def test_nothing_is_written_when_the_recorder_has_ended(tmp_path: Path) -> None:
    """Else the file of a daemon goes on growing without a name."""
    (tmp_path / "marks").touch()
    code = """
    import hakmem, os, sys
    hakmem.mark("first")
    os.unlink(sys.argv[1])
    for _ in range(3):
        hakmem.mark("x" * 10_000)
    links = [os.readlink(f"/proc/self/fd/{name}") for name in os.listdir("/proc/self/fd") if name not in "012"
             and os.path.lexists(f"/proc/self/fd/{name}")]
    print([link for link in links if "marks" in link])
    """
    path = str(tmp_path / "marks")
    assert output_of(run_code(code, path, environment=clean_environment(_HAKMEM_MARKS_FILE=path))) == "[]\n"


def test_file_that_somebody_removed_is_the_end_of_marks_alone(tmp_path: Path) -> None:
    """Those who clean up temporary files do."""
    program = """
    import hakmem, os, time
    hakmem.mark("first")
    os.unlink(os.environ["_HAKMEM_MARKS_FILE"])
    hakmem.mark("second")
    time.sleep(0.2)
    """
    assert "second" not in marks_of(textwrap.dedent(program), tmp_path)


@pytest.mark.parametrize("listener", ["recorder", "socket"])
def test_an_interrupt_during_a_collection_is_not_lost(tmp_path: Path, listener: str) -> None:
    """Python runs a signal's handler in the next Python function, and what it raises in a callback goes nowhere."""
    marks = tmp_path / "marks"
    marks.touch()
    variables = {
        "recorder": {"_HAKMEM_MARKS_FILE": str(marks), "_HAKMEM_GC_RUNS": "1"},
        "socket": {"HAKMEM_STATS_SOCKET": "1"},
    }[listener]
    code = """
    import ctypes, gc, weakref, hakmem
    hakmem.enable()
    interrupt = ctypes.pythonapi.PyErr_SetInterrupt
    interrupt.argtypes, interrupt.restype = [ctypes.py_object], None
    class Cycle:
        pass
    lost = 0
    for _ in range(20):
        cycle = Cycle()
        cycle.itself = cycle
        watch = weakref.ref(cycle, interrupt)  # during the collection, without a Python function
        del cycle
        try:
            gc.collect()
            for _ in range(1000):
                pass
            lost += 1
        except KeyboardInterrupt:
            pass
    print(lost)
    """
    assert output_of(run_code(code, environment=clean_environment(**variables))) == "0\n"


def test_a_collection_near_the_recursion_limit_says_nothing() -> None:
    code = """
    import gc, hakmem
    hakmem.enable()
    def go_down():
        gc.collect()
        try:
            go_down()
        except RecursionError:
            pass
    import sys
    sys.setrecursionlimit(60)
    go_down()
    """
    assert output_of(run_code(code, environment=clean_environment(HAKMEM_STATS_SOCKET="1"))) == ""


def test_who_traces_the_program_does_not_meet_it() -> None:
    code = """
    import gc, json, sys, hakmem
    hakmem.enable()
    seen = []
    def trace(frame, event, argument):
        seen.append(frame.f_code.co_filename)
    sys.settrace(trace)
    sys.setprofile(trace)
    gc.collect()
    [[] for _ in range(10_000)]
    sys.settrace(None)
    sys.setprofile(None)
    print(json.dumps(sorted({name for name in seen if "hakmem" in name})))
    """
    assert json_of(code, environment=clean_environment(HAKMEM_STATS_SOCKET="1")) == []


def test_totals_of_the_collector_are_pythons_own(tmp_path: Path) -> None:
    code = """
    import gc, hakmem, json, os, time
    gc.collect()
    hakmem.enable()
    gc.disable()
    for _ in range(5):
        cycle = []
        cycle.append(cycle)
        del cycle
        gc.collect()
    gc.collect(0)
    names = ("collections", "collected", "uncollectable")
    print(json.dumps([[row[name] for name in names] for row in gc.get_stats()]), flush=True)
    time.sleep(60)
    """
    program = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code)],
        env=clean_environment(HAKMEM_STATS_SOCKET="1"),
        stdout=subprocess.PIPE,
        text=True,
    )
    assert program.stdout is not None
    wanted = json.loads(program.stdout.readline())
    told = json.loads(hakmem_command("stats", str(program.pid), "--json", cwd=tmp_path).stdout)
    program.kill()
    program.communicate(timeout=SECONDS_MAX)
    assert [[row[name] for name in ("collections", "collected", "uncollectable")] for row in told["gc"]] == wanted
    runs = [event["collected"] for event in told["marks"] if "gc_seconds" in event]
    assert runs == [1] * 5


def test_marks_are_whole_json_in_every_language(tmp_path: Path) -> None:
    program = r"""
    import hakmem, locale
    for name in ("de_DE.UTF-8", "C"):
        try:
            locale.setlocale(locale.LC_ALL, name)
        except locale.Error:
            pass
    hakmem.mark('"quoted" \n \udcff ü € \0')
    hakmem.mark("x" * 100_000)
    """
    assert marks_of(textwrap.dedent(program), tmp_path) == ['"quoted" \n \udcff ü € \0', "x" * 100_000]
