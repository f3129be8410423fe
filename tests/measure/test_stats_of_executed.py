"""The stats of interpreters that a program under `hakmem run --all` executes again: nobody imports hakmem there."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest
from python_support import HAKMEM, clean_environment, output_of, run

ALL = [*HAKMEM, "run", "--all"]
ASK = """
import json, os, subprocess, sys
ask = [sys.executable, "-m", "hakmem", "stats", "--json", str(os.getpid())]
own = {name: value for name, value in os.environ.items() if not name.startswith("HAKMEM_STATS")}
asked = subprocess.run(ask, capture_output=True, text=True, env=own)
told = json.loads(asked.stdout) if asked.returncode == 0 else {"pid": asked.stderr}
print(json.dumps([told["pid"] == os.getpid(), told.get("is_enabled"), told.get("malloc")]), flush=True)
"""
TABLE = "hakmem: stats\n"


def executing(way: str, told: str) -> str:
    return f"import os, subprocess, sys; told = {told!r}; {way}"


@pytest.mark.parametrize("options", [[], ["--children"]])
@pytest.mark.parametrize(
    "way",
    [
        "subprocess.run([sys.executable, '-c', told], check=True)",
        "subprocess.run([sys.executable, '-'], check=True, input=told.encode())",
        "open('told.py', 'w').write(told); subprocess.run([sys.executable, 'told.py'], check=True)",
        "open('told.py', 'w').write(told); subprocess.run([sys.executable, '-m', 'told'], check=True)",
        "os.execv(sys.executable, [sys.executable, '-c', told])",
    ],
)
def test_executed_interpreter_serves_its_stats(options: list[str], way: str, tmp_path: Path) -> None:
    environment = clean_environment(HAKMEM_STATS_SOCKET="1")
    result = run([*ALL, *options, "-c", executing(way, ASK)], environment=environment, cwd=tmp_path)
    assert json.loads(output_of(result)) == [True, True, "hakmem"]


def test_workers_of_spawn_serve_their_stats(tmp_path: Path) -> None:
    script = tmp_path / "workers.py"
    script.write_text(f"""
import multiprocessing
def ask(_):
    exec({ASK!r}, {{}})
if __name__ == "__main__":
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        pool.map(ask, [0])
""")
    result = run([*ALL, str(script)], environment=clean_environment(HAKMEM_STATS_SOCKET="1"))
    assert json.loads(output_of(result)) == [True, True, "hakmem"]


def test_executed_interpreter_prints_its_table_at_exit() -> None:
    way = "subprocess.run([sys.executable, '-c', told], check=True)"
    code = executing(way, "print('ran')")
    result = run([*ALL, "-c", code], environment=clean_environment(HAKMEM_STATS_AT_EXIT="1"))
    assert (result.returncode, result.stdout, result.stderr.count(TABLE)) == (0, "ran\n", 2)


def test_nothing_is_imported_where_nobody_asks() -> None:
    told = "import sys; print([name for name in sys.modules if 'hakmem' in name])"
    assert output_of(run([*ALL, "-c", executing("subprocess.run([sys.executable, '-c', told])", told)])) == "[]\n"


@pytest.mark.parametrize("flags", [["-X", "dev"], ["-X", "tracemalloc"], ["-S"], ["-I"], ["-E"], ["-b", "-X", "dev"]])
@pytest.mark.parametrize("malloc", ["pymalloc", "malloc", "debug"])
def test_interpreter_that_cannot_serve_its_stats_runs_as_ever(flags: list[str], malloc: str) -> None:
    """Python's debug hooks end a process that frees what they did not make."""
    told = "import gc, json, email.message; kept = [object() for _ in range(10_000)]; gc.collect(); print(1)"
    way = f"subprocess.run([sys.executable, *{flags!r}, '-c', told], env=dict(os.environ, PYTHONMALLOC={malloc!r}))"
    environment = clean_environment(HAKMEM_STATS_SOCKET="1")
    assert output_of(run([*ALL, "-c", executing(way + ".check_returncode()", told)], environment=environment)) == "1\n"


def test_interpreter_without_the_package_runs_as_ever(tmp_path: Path) -> None:
    """The same file of Python, in an environment that has no hakmem."""
    told = "import importlib.util; print(importlib.util.find_spec('hakmem'))"
    way = f"subprocess.run([{os.path.realpath(sys.executable)!r}, '-I', '-c', told]).check_returncode()"
    environment = clean_environment(HAKMEM_STATS_SOCKET="1", HAKMEM_STATS_AT_EXIT="1")
    result = run([*ALL, "-c", executing(way, told)], environment=environment)
    assert (result.returncode, result.stdout, result.stderr.count(TABLE)) == (0, "None\n", 1)


@pytest.mark.parametrize(("action", "code"), [("raise KeyboardInterrupt", 130), ("sys.exit(3)", 3)])
def test_program_ends_as_it_would(action: str, code: int) -> None:
    told = f"import sys; {action}"
    way = "sys.exit(subprocess.run([sys.executable, '-c', told]).returncode % 132)"
    environment = clean_environment(HAKMEM_STATS_SOCKET="1")
    assert run([*ALL, "-c", executing(way, told)], environment=environment).returncode == code
