"""`hakmem stats`, the socket behind it, and the Prometheus collector."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import signal
import socket
import stat
import sys
import time
from pathlib import Path
from typing import Any

import hakmem
import pytest
from hakmem.measure import server
from measure_support import end, hakmem_command, start, start_hakmem, start_python, wait_until
from python_support import HAKMEM, clean_environment, output_of, run, run_code

WAIT = "import time; kept = [[n] for n in range(100_000)]; print(1, flush=True); time.sleep(60)"
UNDER = ("-m", "hakmem", "run", "--require")


def path_of(process_id: int) -> Path:
    paths = [Path(server.socket_path(directory, process_id)) for directory in server.directories(os.geteuid())]
    return next((path for path in paths if path.exists()), paths[-1])


def figure(table: str, label: str) -> int:
    match = re.search(rf"^  {label} +([\d,]+) bytes", table, re.MULTILINE)
    assert match, table
    return int(match[1].replace(",", ""))


def test_figures_of_a_running_process(tmp_path: Path) -> None:
    program = start_python(WAIT, cwd=tmp_path, launcher=UNDER, HAKMEM_STATS_SOCKET="1")
    told = json.loads(hakmem_command("stats", str(program.pid), "--json", cwd=tmp_path).stdout)
    assert (told["pid"], told["is_enabled"], told["hakmem"]) == (program.pid, True, hakmem.__version__)
    assert told["stats"]["live_bytes"] > 100_000 * 8
    text = hakmem_command("stats", str(program.pid), cwd=tmp_path).stdout
    assert re.search(r"^resident memory [\d,]{9,} bytes \(kernel\)$", text, re.MULTILINE)
    assert re.search(r"^  live +[\d,]+ bytes in [\d,]+ blocks$", text, re.MULTILINE)
    parts = [figure(text, label) for label in ("live", "cached", "pinned", "free, resident", "unbacked")]
    assert sum(parts) == figure(text, "mapped")
    metrics = hakmem_command("stats", str(program.pid), "--prom", cwd=tmp_path).stdout
    assert "\nhakmem_enabled 1.0\n" in metrics
    assert re.search(r"^hakmem_served_requests_total [\d.e+]+$", metrics, re.MULTILINE)
    assert "# TYPE hakmem_live_bytes gauge" in metrics
    end(program)


def test_watch_ends_with_the_process(tmp_path: Path) -> None:
    program = start_python(WAIT, cwd=tmp_path, launcher=UNDER, HAKMEM_STATS_SOCKET="1")
    watcher = start_hakmem("stats", str(program.pid), "--watch", "--interval", "0.1", cwd=tmp_path)
    assert watcher.stdout is not None
    lines = [watcher.stdout.readline() for _ in range(3)]
    end(program)
    _, errors = watcher.communicate(timeout=20)
    assert watcher.returncode == 0
    assert lines[0].split() == ["time", "resident", "live", "cached", "pinned", "free", "MiB"]
    assert float(lines[2].split()[1]) > 5
    assert errors.count("\n") == 1


def test_output_that_is_full_is_one_line(tmp_path: Path) -> None:
    program = start_python(WAIT, cwd=tmp_path, launcher=UNDER, HAKMEM_STATS_SOCKET="1")
    result = run(["sh", "-c", f"exec {shlex.join([*HAKMEM, 'stats', str(program.pid), '--watch'])} > /dev/full"])
    end(program)
    assert result.stderr == "hakmem: error: the output cannot be written: No space left on device\n"
    assert result.returncode == 1


def test_figures_of_lua_are_not_asked_for_as_those_of_python(tmp_path: Path) -> None:
    lua = shutil.which("lua5.4")
    if lua is None:
        pytest.skip("no lua5.4: apt-get install lua5.4")
    program = start([lua, "-e", "print(1) io.stdout:flush() while true do end"], cwd=tmp_path)
    assert program.stdout is not None
    program.stdout.readline()
    result = hakmem_command("stats", str(program.pid), cwd=tmp_path)
    end(program)
    assert result.stderr.endswith("does not serve its stats; Lua does not; hakmem.stats() in the script tells them\n")


def test_nothing_is_served_unless_asked_for(tmp_path: Path) -> None:
    program = start_python(WAIT, cwd=tmp_path, launcher=UNDER)
    result = hakmem_command("stats", str(program.pid), cwd=tmp_path)
    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr.startswith(f"hakmem: error: process {program.pid} does not serve its stats; start it with ")
    assert not path_of(program.pid).exists()
    end(program)


def test_socket_is_private_and_goes_with_the_process(tmp_path: Path) -> None:
    code = "import sys, hakmem; hakmem.enable(); print(1, flush=True); sys.stdin.read()"
    program = start_python(code + "; import time; time.sleep(0.3)", cwd=tmp_path, HAKMEM_STATS_SOCKET="1")
    path = path_of(program.pid)
    if path.exists():  # it may have ended already
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
        assert path.stat().st_uid == os.geteuid()
    _, errors = program.communicate(timeout=20)
    assert (program.returncode, errors, path.exists()) == (0, "", False)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_another_user_gets_nothing(tmp_path: Path) -> None:
    program = start_python(WAIT, cwd=tmp_path, launcher=UNDER, HAKMEM_STATS_SOCKET="1")
    path = path_of(program.pid)
    read_end, write_end = os.pipe()
    other = os.fork()
    if other == 0:
        # The descriptor is opened by root: even where the file's permissions fail, the kernel's word is asked.
        os.setuid(65534)
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
                connection.connect(str(path))
                os.write(write_end, b"connected" + connection.recv(100))
        except PermissionError:
            os.write(write_end, b"refused")
        os._exit(0)
    os.waitpid(other, 0)
    assert os.read(read_end, 1000) == b"refused"
    end(program)


def test_a_directory_that_others_can_enter_is_not_used(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    directory = tmp_path / "sockets"
    monkeypatch.setattr(server, "directories", lambda user_id: [str(directory)])
    assert server.make_directory(os.geteuid()) == str(directory)
    directory.chmod(0o755)
    with pytest.raises(PermissionError):
        server.make_directory(os.geteuid())
    directory.rmdir()
    directory.symlink_to(tmp_path)
    with pytest.raises(PermissionError):
        server.make_directory(os.geteuid())


def test_sockets_of_the_dead_are_removed(tmp_path: Path) -> None:
    for name in ("4194304.sock", f"{os.getpid()}.sock", "other"):
        (tmp_path / name).touch()
    server.remove_left_behind(str(tmp_path))
    assert sorted(path.name for path in tmp_path.iterdir()) == [f"{os.getpid()}.sock", "other"]


FORKING = """
import os, sys, time, warnings
warnings.simplefilter("error")
import hakmem
hakmem.enable()
child = os.fork()  # from 3.12 on a warning where another thread runs
hakmem.mark("forked")
print(child, flush=True)
time.sleep(60 if child else 20)
"""


def test_forked_children_serve_themselves(tmp_path: Path) -> None:
    program = start_python(FORKING.replace("print(child, flush=True)", "child and print(child, flush=True)"),
                           cwd=tmp_path, HAKMEM_STATS_SOCKET="1")  # fmt: skip
    (child,) = [int(words) for words in Path(f"/proc/{program.pid}/task/{program.pid}/children").read_text().split()]
    wait_until(path_of(child).exists)
    told: list[Any] = []
    for process_id in (program.pid, child):
        result = hakmem_command("stats", str(process_id), "--json", cwd=tmp_path)
        assert result.returncode == 0, result.stderr
        told.append(json.loads(result.stdout))
    os.kill(child, signal.SIGKILL)
    end(program)
    assert [row["pid"] for row in told] == [program.pid, child]
    assert all(row["marks"][-1]["mark"] == "forked" for row in told)


def test_process_that_keeps_its_threads_from_running_does_not_hang_us(tmp_path: Path) -> None:
    program = start_python(WAIT, cwd=tmp_path, launcher=UNDER, HAKMEM_STATS_SOCKET="1")
    program.send_signal(signal.SIGSTOP)
    begin = time.monotonic()
    result = hakmem_command("stats", str(program.pid), cwd=tmp_path)
    end(program)
    assert (result.returncode, time.monotonic() - begin < 15) == (1, True)
    assert f"process {program.pid} did not answer within 5 s" in result.stderr


def test_no_place_for_the_socket_is_one_warning(tmp_path: Path) -> None:
    code = """
    from hakmem.measure import server
    server.directories = lambda user_id: ["/proc/none"]
    import hakmem
    print(hakmem.enable())
    """
    result = run_code(code, environment=clean_environment(HAKMEM_STATS_SOCKET="1"))
    assert result.stdout == "True\n"
    assert re.fullmatch(r"hakmem: warning: the stats are not served: [^\n]+\n", result.stderr)


def test_collector_in_the_process_itself() -> None:
    code = """
    import hakmem
    hakmem.enable()
    from prometheus_client import CollectorRegistry, generate_latest
    from hakmem.measure.prometheus import HakmemCollector
    registry = CollectorRegistry()
    registry.register(HakmemCollector())
    print(registry.get_sample_value("hakmem_live_bytes") > 1000, registry.get_sample_value("hakmem_enabled") == 1)
    print(registry.get_sample_value("hakmem_resident_bytes") > 5_000_000)
    """
    assert output_of(run_code(code)) == "True True\nTrue\n"


@pytest.mark.parametrize(
    ("words", "code", "text"),
    [
        ([], 2, "PID"),
        (["x"], 2, "PID 'x'"),
        (["1", "--watch", "--interval", "1e300"], 2, "is not a number above 0 up to 3600"),
        (["4194304"], 1, "there is no process"),
        (["1", "--json", "--prom"], 2, "not allowed"),
    ],
)
def test_bad_words_are_one_line(words: list[str], code: int, text: str) -> None:
    result = run([sys.executable, "-m", "hakmem", "stats", *words])
    assert (result.returncode, result.stdout) == (code, "")
    assert re.fullmatch(r"hakmem: error: [^\n]+\n", result.stderr)
    assert text in result.stderr
