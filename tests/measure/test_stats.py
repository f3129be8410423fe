"""`hakmem stats`, the socket behind it, and the Prometheus collector."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import signal
import sys
import time
from pathlib import Path

import hakmem
import pytest
from measure_support import end, hakmem_command, socket_names, start, start_hakmem, start_python
from python_support import HAKMEM, output_of, run, run_code

WAIT = "import time; kept = [[n] for n in range(100_000)]; print(1, flush=True); time.sleep(60)"
UNDER = ("-m", "hakmem", "run", "--require")


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


def test_process_tells_whether_malloc_is_served(tmp_path: Path) -> None:
    for launcher, malloc in ((UNDER, "the C library's"), ((*UNDER, "--all"), "hakmem")):
        program = start_python(WAIT, cwd=tmp_path, launcher=launcher, HAKMEM_STATS_SOCKET="1")
        told = json.loads(hakmem_command("stats", str(program.pid), "--json", cwd=tmp_path).stdout)
        text = hakmem_command("stats", str(program.pid), cwd=tmp_path).stdout
        end(program)
        assert told["malloc"] == malloc
        assert ("\n  served                Python's objects, and malloc\n" in text) == (malloc == "hakmem")


def test_process_whose_malloc_alone_is_served_says_so(tmp_path: Path) -> None:
    code = f"import hakmem; hakmem.disable(); {WAIT}"
    program = start_python(code, cwd=tmp_path, launcher=(*UNDER, "--all"), HAKMEM_STATS_SOCKET="1")
    text = hakmem_command("stats", str(program.pid), cwd=tmp_path).stdout
    end(program)
    assert ", not enabled\n" in text
    assert "\n  served                malloc\n" in text


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
    assert socket_names(program.pid) == []
    end(program)


def test_process_that_keeps_its_threads_from_running_does_not_hang_us(tmp_path: Path) -> None:
    program = start_python(WAIT, cwd=tmp_path, launcher=UNDER, HAKMEM_STATS_SOCKET="1")
    program.send_signal(signal.SIGSTOP)
    begin = time.monotonic()
    result = hakmem_command("stats", str(program.pid), cwd=tmp_path)
    end(program)
    assert (result.returncode, time.monotonic() - begin < 15) == (1, True)
    assert f"process {program.pid} did not answer within 5 s" in result.stderr


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
