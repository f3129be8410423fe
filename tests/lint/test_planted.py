"""The faults of `make planted` still have their place in the core, and the copy gets each as its file says."""

from __future__ import annotations

import argparse
import re
from dataclasses import replace
from pathlib import Path

import pytest
from planted.__main__ import TEST_KINDS, chosen_faults, words_of
from planted.faults import KINDS, Fault, places, planted, read_faults
from planted.trees import copy_tree

FAULTS = read_faults()
FAULT = Fault("a-b", "core/src/heap/heap.c", "x = 1; y = 2;", "x = 2;", "order", "It breaks.", "unit")


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.id)
def test_fault_has_its_place(repository: Path, fault: Fault) -> None:
    text = (repository / fault.file).read_text("utf-8")
    assert len(places(text, fault.old)) == 1, f"{fault.file} has changed; mend tests/planted/faults.toml"
    assert planted(text, fault) != text
    assert fault.old.split() != fault.new.split()
    assert fault.kind in KINDS
    assert fault.effect.endswith(".")
    assert fault.expected


def test_copy_has_what_its_files_include(repository: Path, tmp_path: Path) -> None:
    """By a path that goes up; the build's own folders lie within what is copied whole."""
    copy_tree(repository, tmp_path)
    sources = [path for path in tmp_path.rglob("*") if path.suffix in {".c", ".h"}]
    included = {path: re.findall(r'#include "(\.\./[^"]+)"', path.read_text("utf-8")) for path in sources}
    assert sum(map(len, included.values())) > 0
    absent = [
        (path.name, name) for path, names in included.items() for name in names if not (path.parent / name).is_file()
    ]
    assert not absent, f"tests/planted/trees.py copies too little: {absent}"


def test_list_is_wide_enough() -> None:
    assert len({fault.id for fault in FAULTS}) == len(FAULTS) >= 30
    assert len({fault.layer for fault in FAULTS}) == 11, "each layer that has functions, with api and control"
    assert {fault.kind for fault in FAULTS} == set(KINDS)


@pytest.mark.parametrize("text", ["x = 1; y = 2;", "x = 1;\n    y = 2;", "x\n= 1;  y = 2;"])
def test_white_space_does_not_matter(text: str) -> None:
    assert planted(f"int x;\n{text} z++;\n", FAULT) == "int x;\nx = 2;" + "\n" * text.count("\n") + " z++;\n"


@pytest.mark.parametrize(("text", "times"), [("x = 1;y = 2;", 0), ("x = 1; z(); y = 2;", 0), ("x = 1; y = 2;" * 2, 2)])
def test_place_that_is_not_one_is_refused(text: str, times: int) -> None:
    with pytest.raises(ValueError, match=f"a-b: its old text occurs {times} times in core/src/heap/heap.c"):
        planted(text, FAULT)


def test_pattern_characters_are_plain() -> None:
    assert places("a + b[0] (*c)", "a + b[0] (*c)") == [(0, 13)]
    assert planted("x = 1; y = 2;", replace(FAULT, new=r"\1 \g<0>")) == r"\1 \g<0>"


def test_words_that_name_nothing_are_refused() -> None:
    assert words_of(TEST_KINDS)(" unit  fuzz ") == ["unit", "fuzz"]
    with pytest.raises(argparse.ArgumentTypeError, match="fuz is none of: unit death"):
        words_of(TEST_KINDS)("unit fuz")
    with pytest.raises(SystemExit, match="no fault is called a-b or c-d;"):
        chosen_faults("a-b c-d purge-loses-errno")


def test_kinds_of_tests_are_folders(repository: Path) -> None:
    folders = {path.parent.name for path in (repository / "tests" / "core").glob("*/test_*.c")}
    assert folders <= set(TEST_KINDS)
