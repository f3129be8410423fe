"""Checks the models of this folder with spin, exhaustively, and sees each mutation found.

    PYTHONPATH=tests python -m model.check_models [--model reclaim] [--jobs 2] [--out build/model]

A run is a model with its sizes (runs.py). spin makes a C program of it, which visits every state. Each state is kept,
so none is taken for another one. The exit code is 1 where a model has an error, a mutation is not found, or a search is
not complete. A row of the table of runs that no model has, or the other way round, is an error, too.
"""

from __future__ import annotations

import argparse
import re
import shutil
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from model.runs import Expected, Run, all_runs

FOLDER = Path(__file__).parent
SEARCH_DEPTH_MAX = 100_000
MEMORY_MIB_MAX = 4000
SECONDS_MAX = 600
TRACE_LINES = 60

# What the search prints where it left something out; where it was cut off at a depth, only the second of them.
INCOMPLETE = ("Search not completed", "max search depth too small")

CHANGED_STEP = re.compile(r"\b(?:MUTATION|FAULT|SPARE)_\w*[A-Z]")


@dataclass(frozen=True)
class Outcome:
    states: int
    seconds: float
    error: str  # what the search found; empty: nothing
    broken: str  # why the search says nothing; empty: it is complete


def is_as_expected(run: Run, outcome: Outcome) -> bool:
    return not outcome.broken and (run.expected is Expected.HOLDS) == (outcome.error == "")


# ---- The table and the models ----


def disagreements(texts: dict[str, str], runs: list[Run]) -> list[str]:
    """`texts`: of each .pml file by its stem. A file that is included begins with the name of its model."""
    models = sorted({run.configuration.model for run in runs})
    found = []
    for model in models:
        in_model = {
            macro for stem, text in texts.items() if stem.split("_")[0] == model for macro in CHANGED_STEP.findall(text)
        }
        in_table = {run.macro for run in runs if run.macro and run.configuration.model == model}
        found += [f"{model}: {macro} is in the model and not in runs.py" for macro in sorted(in_model - in_table)]
        found += [f"{model}: {macro} is in runs.py and not in the model" for macro in sorted(in_table - in_model)]
    return found


# ---- One run ----


def read_output(output: str, seconds: float) -> Outcome:
    """What the search program prints."""
    states = re.search(r"^\s*(\d+) states, stored", output, re.MULTILINE)
    errors = re.search(r"errors: (\d+)", output)
    error = re.search(r"^pan:\d+: (.*?) \(at depth \d+\)", output, re.MULTILINE)
    broken = ""
    if states is None or errors is None:
        broken = "the search did not end: " + (output.strip().splitlines() or ["no output"])[-1]
    elif error is None and any(words in output for words in INCOMPLETE):
        broken = "the search is not complete"
    elif (errors[1] != "0") != (error is not None):
        broken = f"{errors[1]} errors, and no word about them"
    return Outcome(int(states[1]) if states else 0, seconds, error[1] if error else "", broken)


def call(command: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=SECONDS_MAX)


def search(run: Run, folder: Path, compiler: str) -> Outcome:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for source in FOLDER.glob("*.pml"):
        shutil.copy(source, folder)
    is_liveness = run.configuration.is_liveness
    kind = ["-DNFAIR=4"] if is_liveness else ["-DSAFETY"]
    limits = [f"-DMEMLIM={MEMORY_MIB_MAX}", "-DCOLLAPSE"]
    made = call(["spin", *run.defines, "-a", f"{run.configuration.model}.pml"], folder)
    if made.returncode != 0 or "Error:" in made.stdout + made.stderr:
        return Outcome(0, 0, "", f"spin: {(made.stdout + made.stderr).strip()}")
    # A mutation is found soon, and then compiling takes longest.
    optimized = "-O1" if run.expected is Expected.HOLDS else "-O0"
    built = call([*compiler.split(), optimized, "-w", *kind, *limits, "-o", "search", "pan.c"], folder)
    if built.returncode != 0:
        return Outcome(0, 0, "", f"{compiler}: {built.stderr.strip()}")
    begin = time.monotonic()
    try:
        searched = call(["./search", f"-m{SEARCH_DEPTH_MAX}", *(["-a", "-f"] if is_liveness else [])], folder)
    except subprocess.TimeoutExpired:
        return Outcome(0, SECONDS_MAX, "", f"the search took more than {SECONDS_MAX} s")
    return read_output(searched.stdout + searched.stderr, time.monotonic() - begin)


def steps_to_error(run: Run, folder: Path) -> str:
    """The last steps that lead to the error of a search."""
    model = f"{run.configuration.model}.pml"
    replayed = call(["spin", *run.defines, "-k", f"{model}.trail", "-p", "-g", "-l", model], folder)
    return "\n".join(replayed.stdout.splitlines()[-TRACE_LINES:])


# ---- All of them ----


def report(run: Run, outcome: Outcome, folder: Path) -> None:
    result = run.expected.value if run.expected is not Expected.HOLDS else "holds"
    if run.macro.startswith("SPARE"):
        result = "holds without this step"
    if not is_as_expected(run, outcome):
        result = "FAILED: " + (outcome.broken or outcome.error or "not found")
    title = run.title if not run.macro else f"  {run.macro}"
    print(f"{run.configuration.model:8} {title:44} {outcome.states:>10,} {outcome.seconds:6.1f}  {result}", flush=True)
    if outcome.error and run.expected is Expected.HOLDS:
        print(steps_to_error(run, folder), flush=True)


def check(runs: list[Run], jobs: int, out: Path, compiler: str) -> bool:
    folders = [out / f"{number:03}-{run.configuration.model}" for number, run in enumerate(runs)]
    print(f"{'model':8} {'run, or what is changed':44} {'states':>10} {'s':>6}  result", flush=True)
    with ThreadPoolExecutor(jobs) as pool:
        outcomes = pool.map(search, runs, folders, [compiler] * len(runs))
        are_all_well = True
        for run, folder, outcome in zip(runs, folders, outcomes, strict=True):
            report(run, outcome, folder)
            are_all_well = are_all_well and is_as_expected(run, outcome)
    return are_all_well


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    models = sorted({run.configuration.model for run in all_runs()})
    parser.add_argument("--model", choices=models, help="check this model alone")
    parser.add_argument("--jobs", type=int, default=1, help="searches at a time")
    parser.add_argument("--out", type=Path, default=Path("build/model"), help="folder for what is built")
    parser.add_argument("--compiler", default="cc", help="the C compiler")
    arguments = parser.parse_args()
    for program in ("spin", *arguments.compiler.split()[:1]):
        if shutil.which(program) is None:
            print(f"error: there is no {program}; make model names what is to be installed", file=sys.stderr)
            return 2
    runs = [run for run in all_runs() if arguments.model in (None, run.configuration.model)]
    texts = {path.stem: path.read_text("utf-8") for path in FOLDER.glob("*.pml")}
    found = disagreements(texts, runs)
    if found:
        print("\n".join(f"error: {line}" for line in found), file=sys.stderr)
        return 1
    begin = time.monotonic()
    is_well = check(runs, arguments.jobs, arguments.out, arguments.compiler)
    caught = sum(run.expected is Expected.CAUGHT for run in runs)
    still_open = sum(run.expected is Expected.OPEN for run in runs)
    seconds = time.monotonic() - begin
    if not is_well:
        print("error: a run above has FAILED; its folder has the search and its trail", file=sys.stderr)
        return 1
    print(f"All models hold, {caught} mutations and {still_open} open faults were caught, in {seconds:.0f} s.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
