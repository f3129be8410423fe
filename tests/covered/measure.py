"""Reads what llvm-cov exports: each line and branch of the core, whether the tests reached it, and what to call it.

A branch is one outcome, true or false, of a condition as the source has it: `a && b` is two conditions. A header's
function counts once, however many sources include it, and so does a source of which variants were tested: an outcome
is covered when one of them reached it.
"""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

CODE, EXPANSION = 0, 1  # kinds of region
COUNT_BELOW_ZERO = 2**63 - 1  # as llvm-cov shows the difference of two counts, of which a process has lost some


class Gap(NamedTuple):
    """What no test reached, by names that last when lines move. `kind` is one of KINDS."""

    file: str
    function: str
    kind: str
    text: str


NEVER_RUN, NEVER_TRUE, NEVER_FALSE, NEVER_ASKED = KINDS = ("never run", "never true", "never false", "never asked")


class Place(NamedTuple):
    """Of a region or condition: in a file, from here to there. `inner` tells the conditions of one macro apart."""

    line: int
    column: int
    end_line: int
    end_column: int
    inner: tuple[int, ...] = ()


@dataclass
class FileCoverage:
    """Counts by line, and by condition: how often it was true, how often false. An outcome is unclear where a count of
    it is lost, so that 0 does not say that it was not reached."""

    lines: dict[int, int] = field(default_factory=dict)
    conditions: dict[Place, tuple[int, int]] = field(default_factory=dict)
    unclear: set[tuple[Place, bool]] = field(default_factory=set)
    functions: dict[int, tuple[int, str]] = field(default_factory=dict)  # first line: last line, name

    @property
    def lines_covered(self) -> int:
        return sum(count > 0 for count in self.lines.values())

    @property
    def branches(self) -> int:
        return 2 * len(self.conditions)

    @property
    def branches_covered(self) -> int:
        return sum((true > 0) + (false > 0) for true, false in self.conditions.values())

    def function_at(self, line: int) -> str:
        return next((name for first, (last, name) in self.functions.items() if first <= line <= last), "")


def read_lines(lcov: str, source: Path) -> dict[str, dict[int, int]]:
    """The counts of each line, by file below `source`, of an export in lcov's format."""
    found: dict[str, dict[int, int]] = {}
    lines: dict[int, int] = {}
    for record in lcov.splitlines():
        name, _, value = record.partition(":")
        if name == "SF":
            path = Path(value)
            lines = found.setdefault(path.relative_to(source).as_posix(), {}) if source in path.parents else {}
        elif name == "DA":
            number, count = value.split(",")[:2]
            lines[int(number)] = max(lines.get(int(number), 0), int(count))
    return found


def _outermost(function: dict[str, Any]) -> dict[int, Place]:
    """Where the macro of each file number is written. The function's own text is number 0, and has no entry."""
    sites = {region[6]: (region[5], Place(*region[:4])) for region in function["regions"] if region[7] == EXPANSION}
    found = {}
    for number in sites:
        parent, place = sites[number]
        while parent in sites:
            parent, place = sites[parent]
        found[number] = place
    return found


def _evaluations(function: dict[str, Any], branch: list[int]) -> int:
    """How often the smallest piece of code around a condition ran."""
    begin, end = tuple(branch[:2]), tuple(branch[2:4])
    around = [
        (region[2] - region[0], region[3] - region[1], region[4])
        for region in function["regions"]
        if region[7] == CODE and region[5] == branch[6] and tuple(region[:2]) <= begin and end <= tuple(region[2:4])
    ]
    return min(around)[2] if around else 0


def read_conditions(export: dict[str, Any], source: Path) -> dict[str, FileCoverage]:
    """Conditions and functions by file below `source`, of an export as JSON. What the compiler knew is left out."""
    found: dict[str, FileCoverage] = defaultdict(FileCoverage)
    known: dict[str, set[Place]] = defaultdict(set)
    for function in export["data"][0]["functions"]:
        path = Path(function["filenames"][0])
        if source not in path.parents:
            continue
        name = path.relative_to(source).as_posix()
        coverage = found[name]
        body = next(region for region in function["regions"] if region[5] == 0 and region[7] == CODE)
        coverage.functions[body[0]] = (body[2], _plain_name(function["name"]))
        sites = _outermost(function)
        for branch in function["branches"]:
            place = Place(*branch[:4])
            if branch[6] in sites:
                place = sites[branch[6]]._replace(inner=tuple(branch[:4]))
            true, false = (0 if count == COUNT_BELOW_ZERO else count for count in branch[4:6])
            coverage.unclear |= {(place, index == 4) for index in (4, 5) if branch[index] == COUNT_BELOW_ZERO}
            if true == 0 and false == 0 and _evaluations(function, branch) > 0:
                known[name].add(place)
                continue
            before = coverage.conditions.get(place, (0, 0))
            coverage.conditions[place] = (before[0] + true, before[1] + false)
    for name, places in known.items():
        for place in places:
            if found[name].conditions.get(place) == (0, 0):
                del found[name].conditions[place]
    return dict(found)


def _plain_name(name: str) -> str:
    """Without the source of a static function, and without the prefix that all internal names get."""
    return name.rpartition(":")[2].removeprefix("hak_core_")


def measured(export: dict[str, Any], lcov: str, source: Path) -> dict[str, FileCoverage]:
    """By file, those with code."""
    found = read_conditions(export, source)
    for name, lines in read_lines(lcov, source).items():
        found.setdefault(name, FileCoverage()).lines = lines
    return dict(sorted(found.items()))


def _call_from(text: str, begin: int) -> int:
    """Where the parentheses that open at `begin` are closed, the closing one included."""
    depth = 0
    for index in range(begin, len(text)):
        depth += (text[index] == "(") - (text[index] == ")")
        if depth == 0:
            return index + 1
    return len(text)


def condition_text(lines: list[str], place: Place) -> str:
    """As the source has it, on one line. A macro's is its arguments: what HAK_UNLIKELY is asked."""
    text = " ".join(line.strip() for line in [lines[place.line - 1][place.column - 1 :], *lines[place.line :][:8]])
    length = place.end_column - place.column
    if place.end_line > place.line:
        inner = [line.strip() for line in lines[place.line : place.end_line - 1]]
        last = lines[place.end_line - 1][: place.end_column - 1].strip()
        length = len(" ".join([lines[place.line - 1][place.column - 1 :].strip(), *inner, last]))
    is_call = text[length : length + 1] == "("  # llvm ends at the name of a macro that is called
    end = _call_from(text, length) if is_call else length
    return text[length + 1 : end - 1] if place.inner and is_call else text[:end]


def unclear_of_file(name: str, text: str, coverage: FileCoverage) -> list[Gap]:
    """The gaps that may be none."""
    lines = text.split("\n")
    return [
        Gap(name, coverage.function_at(place.line), kind, condition_text(lines, place).strip())
        for place, outcome in sorted(coverage.unclear)
        for kind in (NEVER_TRUE if outcome else NEVER_FALSE, NEVER_ASKED)
    ]


def gaps_of_file(name: str, text: str, coverage: FileCoverage) -> list[tuple[int, Gap]]:
    """With the number of the line. Lines that follow each other are one gap; so are the conditions on them."""
    lines = text.split("\n")
    found: list[tuple[int, Gap]] = []
    missed = [number for number, count in sorted(coverage.lines.items()) if count == 0]
    for number in missed:
        line = lines[number - 1].strip()
        if re.search(r"\w", line):
            found.append((number, Gap(name, coverage.function_at(number), NEVER_RUN, line)))
    for place, (true, false) in coverage.conditions.items():
        if (true > 0 and false > 0) or place.line in missed:
            continue
        kind = NEVER_ASKED if true == false == 0 else NEVER_FALSE if true > 0 else NEVER_TRUE
        found.append(
            (place.line, Gap(name, coverage.function_at(place.line), kind, condition_text(lines, place).strip()))
        )
    return sorted(found)
