"""The table of runs names what the models can change, and the checker reads what a search prints."""

from __future__ import annotations

from pathlib import Path

import pytest
from model import check_models
from model.runs import Configuration, Expected, Run, all_runs


def test_table_and_models_agree(repository: Path) -> None:
    texts = {path.stem: path.read_text("utf-8") for path in (repository / "tests" / "model").glob("*.pml")}
    assert check_models.disagreements(texts, all_runs()) == []
    assert sum(run.expected is Expected.CAUGHT for run in all_runs()) >= 12


RUNS = [
    Run(Configuration("heap", "a title", "SIZE=1"), "", Expected.HOLDS),
    Run(Configuration("heap", "a title", "SIZE=1"), "MUTATION_A", Expected.CAUGHT),
]


def test_planted_disagreements_are_found() -> None:
    assert check_models.disagreements({"heap": "#ifdef MUTATION_A\n", "slab": "#ifdef MUTATION_B\n"}, RUNS) == []
    assert check_models.disagreements({"heap": "MUTATION_...", "heap_more": "#ifdef MUTATION_A\n"}, RUNS) == []
    assert check_models.disagreements({"heap": "#ifdef FAULT_B\n"}, RUNS) == [
        "heap: FAULT_B is in the model and not in runs.py",
        "heap: MUTATION_A is in runs.py and not in the model",
    ]


COMPLETE = "State-vector 104 byte, depth reached 239, errors: 0\n   327538 states, stored\n"
FOUND = (
    "pan:1: assertion violated (a==1) (at depth 65)\npan: wrote heap.pml.trail\nWarning: Search not completed\n"
    "State-vector 104 byte, depth reached 216, errors: 1\n   116575 states, stored\n"
)
TOO_DEEP = "error: max search depth too small\n" + COMPLETE
NO_MEMORY = "pan: reached -DMEMLIM bound\nWarning: Search not completed\n" + COMPLETE
KILLED = "Depth= 100 States= 1e+06\n"


@pytest.mark.parametrize(
    ("output", "error", "broken"),
    [
        (COMPLETE, "", ""),
        (FOUND, "assertion violated (a==1)", ""),
        (TOO_DEEP, "", "the search is not complete"),
        (NO_MEMORY, "", "the search is not complete"),
        (KILLED, "", "the search did not end: Depth= 100 States= 1e+06"),
        ("", "", "the search did not end: no output"),
        (COMPLETE.replace("errors: 0", "errors: 1"), "", "1 errors, and no word about them"),
    ],
)
def test_output_is_read(output: str, error: str, broken: str) -> None:
    outcome = check_models.read_output(output, 1.5)
    assert (outcome.error, outcome.broken) == (error, broken)
    if "stored" in output:
        assert outcome.states in (327538, 116575)


@pytest.mark.parametrize(
    ("run", "output", "is_well"),
    [
        (RUNS[0], COMPLETE, True),
        (RUNS[0], FOUND, False),
        (RUNS[0], TOO_DEEP, False),
        (RUNS[1], FOUND, True),
        (RUNS[1], COMPLETE, False),
        (RUNS[1], NO_MEMORY, False),
        (RUNS[1], KILLED, False),
    ],
)
def test_mutation_has_to_be_caught_and_model_has_to_hold(run: Run, output: str, is_well: bool) -> None:
    assert check_models.is_as_expected(run, check_models.read_output(output, 1.5)) == is_well
