"""docs/adding-a-runtime.md has a table: which test holds which binding to which clause of the contract. Reports a
binding, a clause or a test that is missing.

    python tests/lint/contract_page.py

A row is a folder of bindings/. A column is a clause, a heading of the section "The contract". A cell has links whose
text is the words that a test's name in the file behind it begins with, without test_. A cell without a link says
"none: " and why.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

PAGE = "docs/adding-a-runtime.md"
BINDINGS = "bindings"
SHARED = "tests/contract/test_contract.py"

SECTION = re.compile(r"^## (?P<title>[^\n]+)\n(?P<text>.*?)(?=^## |\Z)", re.MULTILINE | re.DOTALL)
CLAUSE = re.compile(r"^### ([^\n]+)$", re.MULTILINE)
REFERENCE = re.compile(r"^\[([\w-]+)\]: (\S+)$", re.MULTILINE)
LINK = re.compile(r"\[([^\]]+)\]\[([\w-]+)\]")
NO_TEST = re.compile(r"none: \w[^.]{20,}")
CONTRACT, TABLE = "The contract", "Who keeps it"

# Of each binding, by clause: the text of the cell.
Cells = dict[str, dict[str, str]]


def table_of(page: str) -> tuple[list[str], list[str], Cells]:
    """The clauses, the columns, and the cells by binding. A binding that has two rows has the last one."""
    sections = {match["title"]: match["text"] for match in SECTION.finditer(page)}
    clauses = [clause.lower() for clause in CLAUSE.findall(sections.get(CONTRACT, ""))]
    lines = [line for line in sections.get(TABLE, "").splitlines() if line.startswith("|")]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    columns = rows[0][1:] if rows else []
    return clauses, columns, {row[0]: dict(zip(columns, row[1:], strict=False)) for row in rows[2:]}


def tests_of(text: str) -> set[str]:
    """The names of a file's tests, without test_."""
    functions = (node for node in ast.parse(text).body if isinstance(node, ast.FunctionDef))
    return {node.name.removeprefix("test_") for node in functions if node.name.startswith("test_")}


def named_test(words: str, tests: Iterable[str]) -> str | None:
    """The test with this name; else the only one whose name begins so."""
    name = words.replace(" ", "_")
    if name in tests:
        return name
    found = [test for test in tests if test.startswith(name)]
    return found[0] if len(found) == 1 else None


def violations_of_cell(cell: str, references: Mapping[str, str], files: Mapping[str, set[str]]) -> list[str]:
    links = LINK.findall(cell)
    if not links and NO_TEST.match(cell) is None:
        return ["names no test, and does not say why there is none"]
    found = []
    for name, reference in links:
        file = references.get(reference)
        if file is None:
            found.append(f"there is no reference {reference}")
        elif file not in files:
            found.append(f"there is no file {file}")
        elif named_test(name, files[file]) is None:
            found.append(f"{file} has no test, or more than one, whose name begins with: test {name}")
    return found


def violations_of_shared(cells: Cells, references: Mapping[str, str], shared: Mapping[str, set[str]]) -> list[str]:
    """`shared`: the bindings that run each test of SHARED. Their rows name it, and no other row does."""
    found = []
    for binding, row in cells.items():
        links = [link for cell in row.values() for link in LINK.findall(cell)]
        named = {named_test(name, shared) for name, reference in links if references.get(reference) == SHARED}
        for test, bindings in shared.items():
            if test in named and binding not in bindings:
                found.append(f"{PAGE}: {binding} names test_{test} of {SHARED}, and does not run it")
            if test not in named and binding in bindings:
                found.append(f"{PAGE}: {binding} runs test_{test} of {SHARED}, and does not name it")
    return found


def violations(
    page: str, bindings: Iterable[str], files: Mapping[str, set[str]], shared: Mapping[str, set[str]] | None = None
) -> list[str]:
    """`files`: the tests by file. `shared`: as above; None: not known."""
    clauses, columns, cells = table_of(page)
    references = {name: target.removeprefix("../") for name, target in REFERENCE.findall(page)}
    if not clauses or columns != clauses:
        return [f"{PAGE}: the columns are {', '.join(columns)}, and the clauses {', '.join(clauses)}"]
    found = [f"{PAGE}: there is no row of {name}" for name in sorted(set(bindings) - set(cells))]
    found += [f"{PAGE}: {name} is no folder of {BINDINGS}" for name in sorted(set(cells) - set(bindings))]
    for name, row in cells.items():
        for clause in clauses:
            faults = violations_of_cell(row.get(clause, ""), references, files)
            found += [f"{PAGE}: {name}, {clause}: {fault}" for fault in faults]
    used = {reference for row in cells.values() for cell in row.values() for _, reference in LINK.findall(cell)}
    found += [f"{PAGE}: no cell refers to {name}" for name in sorted(set(references) - used)]
    return found + violations_of_shared(cells, references, shared or {})


def read(root: Path) -> tuple[str, list[str], dict[str, set[str]]]:
    bindings = [path.name for path in (root / BINDINGS).iterdir() if any(path.glob("*"))]
    tests = (root / "tests").rglob("test_*.py")
    files = {path.relative_to(root).as_posix(): tests_of(path.read_text("utf-8")) for path in tests}
    return (root / PAGE).read_text("utf-8"), bindings, files


def check(root: Path, shared: Mapping[str, set[str]] | None = None) -> list[str]:
    return violations(*read(root), shared)


if __name__ == "__main__":
    problems = check(Path(__file__).resolve().parents[2])
    print("\n".join(problems) or "no violations")
    sys.exit(1 if problems else 0)
