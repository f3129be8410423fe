"""What `hakmem run` does beside running the program: its own options, refusals, and what children get."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from python_support import HAKMEM, clean_environment, output_of, run

RUN = [*HAKMEM, "run"]
TRACING = [sys.executable, "-X", "tracemalloc", "-m", "hakmem", "run"]
SAY = "import hakmem, sys; print(hakmem.is_enabled(), sys.argv[1:])"


def figure(table: str, label: str) -> int:
    match = re.search(rf"^  {label} +([\d,]+)", table, re.MULTILINE)
    assert match, table
    return int(match[1].replace(",", ""))


def test_stats_prints_the_table_at_exit() -> None:
    result = run([*RUN, "--stats", "-c", "keep = [bytes(1000) for _ in range(10000)]; print('out')"])
    assert result.returncode == 0
    assert result.stdout == "out\n"
    table = result.stderr
    assert table.startswith("hakmem: stats\n")
    assert figure(table, "requests served") >= 10000
    assert figure(table, "bytes served") >= 10000 * 1000
    assert figure(table, "bytes served") > 100 * figure(table, "bytes passed")
    assert re.search(r"requests served +[\d,]+ \((99|100)\.\d\d % of all\)", table)
    assert re.search(r"superslabs +\d+ active, \d+ spare, \d+ born, \d+ died", table)
    rows = [
        line.split() for line in table.splitlines() if re.match(r"^ +[\d,]+ +[\d,]+ +[\d,]+ +[\d,]+ +[\d,]+$", line)
    ]
    assert rows
    assert all(row[4] != "0" for row in rows), "rows of empty classes are left out"


@pytest.mark.parametrize("ending", ["import sys; sys.exit(3)", "1/0", "raise KeyboardInterrupt"])
def test_stats_are_printed_however_the_program_ends(ending: str) -> None:
    result = run([*RUN, "--stats", "-c", ending])
    assert result.returncode == run([sys.executable, "-c", ending]).returncode
    assert result.stderr.count("hakmem: stats") == 1


def test_stats_of_a_program_that_drops_a_million_objects() -> None:
    code = """
import hakmem
def figures():
    now = hakmem.stats()
    return now["superslabs_active"], now["live_bytes"]
figures()
before = figures()
keep = [object() for _ in range(10**6)]
during = figures()
del keep
after = figures()
assert during[1] >= before[1] + 10**6 * 16, (before, during)
assert after[0] <= before[0] + 1, (before, after)
assert abs(after[1] - before[1]) <= 64 << 10, (before, after)
"""
    result = run([*RUN, "--stats", "-c", code])
    assert result.returncode == 0, result.stderr
    assert figure(result.stderr, "requests served") >= 10**6


def test_refused_it_runs_all_the_same_and_says_why() -> None:
    result = run([*TRACING, "-c", SAY, "x"])
    assert (result.returncode, result.stdout) == (0, "False ['x']\n")
    assert re.fullmatch(r"hakmem: warning: [^\n]*tracemalloc[^\n]*\n", result.stderr)


def test_required_and_refused_it_does_not_run() -> None:
    result = run([*TRACING, "--require", "-c", SAY])
    assert (result.returncode, result.stdout) == (1, "")
    assert re.search(r"^hakmem: error: [^\n]*tracemalloc[^\n]*\n$", result.stderr)
    assert result.stderr.count("\n") == 1


def test_required_and_possible_it_runs() -> None:
    assert output_of(run([*RUN, "--require", "-c", SAY])) == "True []\n"


def test_variable_zero_wins_silently_unless_required() -> None:
    environment = clean_environment(HAKMEM="0")
    assert output_of(run([*RUN, "-c", SAY], environment=environment)) == "False []\n"
    result = run([*RUN, "--require", "-c", SAY], environment=environment)
    assert (result.returncode, result.stdout) == (1, "")
    assert "HAKMEM=0" in result.stderr


@pytest.mark.parametrize(
    ("words", "named"),
    [
        ([], "SCRIPT"),
        (["--stats"], "SCRIPT"),
        (["--nonsense", "s.py"], "'--nonsense'"),
        (["-m"], "-m"),
        (["-c"], "-c"),
        (["-u", "s.py"], "'-u'"),
    ],
)
def test_bad_usage_is_one_line_and_2(words: list[str], named: str) -> None:
    result = run([*RUN, *words])
    assert (result.returncode, result.stdout) == (2, "")
    assert re.fullmatch(r"hakmem: error: [^\n]+\n", result.stderr)
    assert named in result.stderr


@pytest.mark.parametrize("options", [[], ["--all"]])
def test_name_of_a_program_that_is_a_module_is_told_how_to_run(options: list[str], tmp_path: Path) -> None:
    (tmp_path / "one.py").touch()
    for name, has_hint in (("one", True), ("missing", False), ("one.py.old", False), ("__main__", False)):
        stock = run([sys.executable, name], cwd=tmp_path)
        result = run([*RUN, *options, name], cwd=tmp_path)
        assert (result.returncode, result.stdout) == (stock.returncode, "")
        hint = f"hakmem: {name} is the name of a module, which runs by -m: hakmem run -m {name}\n"
        assert result.stderr == stock.stderr + (hint if has_hint else "")


def test_package_that_runs_is_told_from_one_that_does_not(tmp_path: Path) -> None:
    for name, file_name in (("runs", "__main__.py"), ("lacks", "other.py")):
        (tmp_path / "site" / name).mkdir(parents=True)
        (tmp_path / "site" / name / "__init__.py").write_text("print('imported')")
        (tmp_path / "site" / name / file_name).touch()
    environment = clean_environment(PYTHONPATH=str(tmp_path / "site"))
    hints = [run([*RUN, name], cwd=tmp_path, environment=environment) for name in ("runs", "lacks")]
    assert [(result.stdout, result.stderr.count("hakmem run -m")) for result in hints] == [("", 1), ("", 0)]


def test_options_end_where_the_program_begins(tmp_path: Path) -> None:
    (tmp_path / "s.py").write_text("import sys\nprint(sys.argv)\n")
    for words in (["s.py", "--stats", "--help"], ["--", "s.py", "--stats", "--help"]):
        assert output_of(run([*RUN, *words], cwd=tmp_path)) == "['s.py', '--stats', '--help']\n"


@pytest.mark.parametrize("word", ["--help", "-h"])
def test_help(word: str) -> None:
    output = output_of(run([*RUN, word]))
    assert "usage: hakmem run" in output
    assert "--require" in output


def test_without_a_startup_file_children_get_no_variable() -> None:
    code = "import os; print(os.environ.get('HAKMEM'))"
    assert output_of(run([*RUN, "-c", code])) == "None\n"


def test_a_signal_from_outside_reaches_the_program(tmp_path: Path) -> None:
    """Ctrl-C on the terminal: the program's own handling, then death by SIGINT as the shell expects."""
    script = tmp_path / "s.py"
    script.write_text(
        "import time\ntry:\n    print('up', flush=True)\n    time.sleep(60)\nfinally:\n    print('cleanup')\n"
    )
    # A shell that starts the tests in the background has them ignore SIGINT, and children inherit that.
    listening = (
        "import os, signal, sys; signal.signal(signal.SIGINT, signal.SIG_DFL); os.execv(sys.argv[1], sys.argv[1:])"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", listening, *RUN, str(script)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=clean_environment(),
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "up\n"
    time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (-signal.SIGINT, "cleanup\n")
    assert err.rstrip().endswith("KeyboardInterrupt")
    assert "hakmem" not in err
