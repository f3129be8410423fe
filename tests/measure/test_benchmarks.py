"""What the benchmarks' command lines refuse, before anything is measured."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from python_support import clean_environment, output_of, run

LUA = ["--lua", "lua", "--module", "."]
OWN_WORDS = {
    "bench.rss": [],
    "bench.process": [],
    "bench.churn": [],
    "bench.speed": [],
    "bench.lua": LUA,
    "bench.trace": [],
    "bench.trace.tuning": [],
}


def bench(repository: Path, module: str, *words: str) -> subprocess.CompletedProcess[str]:
    environment = clean_environment(PYTHONPATH=str(repository / "tests"))
    return run([sys.executable, "-m", module, *OWN_WORDS[module], *words], environment=environment)


def refusal_of(result: subprocess.CompletedProcess[str]) -> str:
    assert (result.returncode, result.stdout) == (2, "")
    assert re.fullmatch(r"error: [^\n]+\n", result.stderr), result.stderr
    return result.stderr


@pytest.mark.parametrize("module", OWN_WORDS)
def test_help_tells_choices_and_defaults(repository: Path, module: str) -> None:
    text = " ".join(output_of(bench(repository, module, "--help")).split())
    assert "(build/bench)" in text
    assert module not in ("bench.rss", "bench.trace") or "json 1 %" in text


@pytest.mark.parametrize("module", ["bench.rss", "bench.process", "bench.churn", "bench.speed", "bench.lua"])
@pytest.mark.parametrize("runs", ["0", "-1", "x", "1.5"])
def test_runs_is_a_whole_number_above_0(repository: Path, module: str, runs: str) -> None:
    assert f"--runs: '{runs}' is not a whole number above 0" in refusal_of(bench(repository, module, "--runs", runs))


@pytest.mark.parametrize(
    ("module", "words", "said"),
    [
        ("bench.rss", ["--workloads", "floats,nosuch"], "no workload 'nosuch'; there are: "),
        ("bench.rss", ["--out", __file__], "is a file; name a folder"),
        ("bench.process", ["--workloads", "sqlite in memory,nosuch"], "no workload 'nosuch'; there are: lxml one "),
        ("bench.process", ["--kept", "1,2"], "no share in percent '2'; there are: 0, 1, 5"),
        ("bench.process", ["--peers", "pymalloc"], "no peer 'pymalloc'; there are: glibc, "),
        ("bench.churn", ["--workloads", "json document,nosuch"], "no workload 'nosuch'; there are: bytes objects, "),
        ("bench.churn", ["--workloads", "lua tables"], "'lua tables' cannot be measured: there is no Lua with headers"),
        ("bench.churn", ["--native", "/nowhere", "--workloads", "blocks of 5 to 25 MiB"], "/nowhere/replaced_blocks"),
        ("bench.churn", ["--peers", "pymalloc"], "no peer 'pymalloc'; there are: stock, "),
        ("bench.speed", ["--parts", "loops,nosuch"], "no part 'nosuch'; there are: loops, "),
        ("bench.trace", ["--workload", "nosuch"], "no workload 'nosuch'; there are: "),
        ("bench.trace", ["--replay", "/nowhere/trace"], "there is no trace '/nowhere/trace'"),
        ("bench.trace", ["nosuch.py", "word"], "there is no program 'nosuch.py'; give SCRIPT or -m MODULE"),
        ("bench.trace", ["-m", "nosuch.module"], "there is no module 'nosuch.module'"),
        ("bench.trace", ["-m"], "there is no module ''"),
        ("bench.trace.tuning", ["--programs", "floats,nosuch"], "no program 'nosuch'; there are: "),
        ("bench.trace.tuning", ["--compare", "/nowhere/x.json"], "'/nowhere/x.json': No such file or directory"),
        ("bench.trace.tuning", ["--compare", __file__], "is no JSON of make bench-tuning"),
    ],
)
def test_what_is_not_there_is_one_line(repository: Path, module: str, words: list[str], said: str) -> None:
    assert said in refusal_of(bench(repository, module, *words))


@pytest.mark.parametrize("cases", ["bogus", "one pair;bogus", "floats", "private, 1", "private"])
def test_cases_are_those_of_the_chosen_parts(repository: Path, tmp_path: Path, cases: str) -> None:
    words = ["--parts", "loops", "--cases", cases, "--peers", "pymalloc", "--out", str(tmp_path)]
    unknown = cases.rpartition(";")[2]
    said = refusal_of(bench(repository, "bench.speed", *words))
    assert said.startswith(f"error: no case of loops {unknown!r}; there are: one pair; ")
    assert not (tmp_path / "speed.json").exists()


def test_a_case_by_its_name_alone_is_measured(repository: Path, tmp_path: Path) -> None:
    words = ["--parts", "loops", "--cases", "one pair", "--peers", "pymalloc", "--out", str(tmp_path), "--runs", "1"]
    assert bench(repository, "bench.speed", *words).returncode == 0
    assert (tmp_path / "speed.json").exists()


def test_a_peer_that_is_named_must_be_there(repository: Path, tmp_path: Path) -> None:
    for module in ("bench.rss", "bench.process", "bench.churn", "bench.speed"):
        words = ["--peers", "mimalloc", "--mimalloc", str(tmp_path), "--out", str(tmp_path / "out")]
        said = refusal_of(bench(repository, module, *words))
        assert f"peer 'mimalloc' cannot be measured: libmimalloc.so was not found in {tmp_path}" in said
        assert not list(tmp_path.glob("out/*.json"))


@pytest.mark.skipif(sys.version_info >= (3, 13), reason="this Python has it")
def test_a_peer_that_this_python_cannot_have_is_refused(repository: Path) -> None:
    said = refusal_of(bench(repository, "bench.rss", "--peers", "PYTHONMALLOC=mimalloc"))
    assert "CPython has it from 3.13" in said


def test_a_program_that_fails_is_no_traceback_of_ours(repository: Path, tmp_path: Path) -> None:
    script = tmp_path / "fails.py"
    script.write_text("raise SystemExit(3)\n")
    for program in ([str(script)], ["-m", "timeit", "--bogus"]):
        result = bench(repository, "bench.trace", "--out", str(tmp_path), *program)
        assert result.returncode == 1
        assert re.search(r"error: the program failed with exit code [23]; nothing was replayed\n$", result.stderr)
        assert "Traceback" not in result.stderr


STRANGE = "a\x1b[31m\u202e\n[/b]\udcff"
REPLAY = """
import json
kinds = {f"{kind}_{when}": 1 for kind in ("ideal", "classes", "pinned", "resident") for when in ("peak", "end")}
print(json.dumps({"phase": "\\x1b[31m[/b]", "events": 1, "ns_per_event": 1.0} | kinds))
"""


@pytest.mark.parametrize("module", OWN_WORDS)
@pytest.mark.parametrize("words", [[f"--{STRANGE}"], ["--out", f"/proc/{STRANGE}"]])
def test_strange_words_are_one_line(repository: Path, module: str, words: list[str]) -> None:
    assert refusal_of(bench(repository, module, *words))[:-1].isprintable()


def test_names_of_a_trace_and_its_phases_are_shown(repository: Path, tmp_path: Path) -> None:
    trace = tmp_path / STRANGE.replace("/", "")
    trace.touch()
    (tmp_path / "replay").write_text(f"#!{sys.executable}{REPLAY}")
    (tmp_path / "replay").chmod(0o755)
    words = ["--out", str(tmp_path), "--native", str(tmp_path), "--replay", str(trace)]
    result = bench(repository, "bench.trace", *words)
    assert (result.returncode, result.stderr) == (0, "")
    assert all(line.isprintable() for line in result.stdout.split("\n"))
    assert r"\x1b[31m[/b]" in result.stdout
    assert (tmp_path / "trace.json").exists()


def test_a_trace_that_cannot_be_replayed_is_one_line(repository: Path, tmp_path: Path) -> None:
    trace = tmp_path / "bad.trace"
    trace.touch()
    (tmp_path / "replay").write_text("#!/bin/sh\necho no trace >&2\nexit 1\n")
    (tmp_path / "replay").chmod(0o755)
    result = bench(repository, "bench.trace", "--native", str(tmp_path), "--replay", str(trace))
    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr == f"error: {trace} cannot be replayed, exit code 1: no trace\n"
