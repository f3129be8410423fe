"""The table of docs/adding-a-runtime.md names what is there: tests, bindings, clauses; planted faults are found."""

from __future__ import annotations

from pathlib import Path

import contract_page
import contract_support
import pytest
import test_contract


def bindings_of_shared_tests() -> dict[str, set[str]]:
    """Which bindings run each test of tests/contract, by the marks of pytest."""
    folders = {name: folder for folder, names in contract_support.NAMES.items() for name in names}
    found: dict[str, set[str]] = {}
    for name, test in vars(test_contract).items():
        for mark in getattr(test, "pytestmark", []):
            if name.startswith("test_") and mark.args[0] == "binding" and name not in OF_THE_SCENARIOS:
                found[name.removeprefix("test_")] = {folders[parameter] for parameter in mark.args[1]}
    return found


# They look at the scenarios, not at a binding.
OF_THE_SCENARIOS = {"test_without_hakmem_nothing_passes"}


def test_table_names_what_is_there(repository: Path) -> None:
    shared = bindings_of_shared_tests()
    assert shared["threads"] == {"python", "lua", "libc"}
    assert shared["blocks_outlive_the_switch"] == {"python", "lua"}
    violations = contract_page.check(repository, shared)
    assert not violations, "\n".join(violations)


def test_each_binding_has_an_adapter(repository: Path) -> None:
    bindings = set(contract_page.read(repository)[1])
    assert set(contract_support.NAMES) == bindings
    for name in bindings:
        assert (repository / "tests" / "contract" / f"{name}.c").is_file()


def test_page_is_read(repository: Path) -> None:
    clauses, columns, cells = contract_page.table_of((repository / contract_page.PAGE).read_text("utf-8"))
    assert columns == clauses
    assert {"foreign blocks", "refusal", "limits and figures", "fork", "threads", "faults", "misuse"} <= set(clauses)
    assert sum(len(contract_page.LINK.findall(cell)) for row in cells.values() for cell in row.values()) > 60


PAGE = """# Title

## The contract

### Fork

### Second core

## Who keeps it

| binding | fork | second core |
|---|---|---|
| lua | [forks][contract], [children of][host] | [second][contract] |
| libc | [forks][contract] | none: it comes before every other core, and asks none |

[contract]: ../tests/contract/test_contract.py
[host]: ../tests/lua/test_host.py
"""
FILES = {
    contract_page.SHARED: {"forks", "forks_again", "second_core", "unnamed"},
    "tests/lua/test_host.py": {"children_of_a_host", "case"},
}
SHARED = {"forks": {"lua", "libc"}, "second_core": {"lua"}}


def test_page_without_faults() -> None:
    assert contract_page.violations(PAGE, ["lua", "libc"], FILES, SHARED) == []


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (
            "### Second core",
            "### Second core\n\n### Faults",
            "the columns are fork, second core, and the clauses fork,",
        ),
        ("### Second core\n", "", "the columns are fork, second core, and the clauses fork"),
        ("## The contract", "## Other", "and the clauses "),
        ("| libc |", "| ruby |", "there is no row of libc"),
        ("| libc |", "| ruby |", "ruby is no folder of bindings"),
        ("[second][contract]", "", "lua, second core: names no test, and does not say why"),
        ("none: it comes before every other core, and asks none", "none", "libc, second core: names no test"),
        ("none: it comes before every other core, and asks none", "", "libc, second core: names no test"),
        ("[children of]", "[childern of]", "test_host.py has no test, or more than one, whose name begins with"),
        ("[children of]", "[c]", "test_host.py has no test, or more than one, whose name begins with"),
        ("[children of][host]", "[children of][hosts]", "there is no reference hosts"),
        ("test_host.py", "test_guest.py", "there is no file tests/lua/test_guest.py"),
        (", [children of][host]", "", "no cell refers to host"),
        ("| libc | [forks][contract]", "| libc | [case][host]", "libc runs test_forks of"),
        ("none: it comes", "[second core][contract], it comes", "libc names test_second_core of"),
    ],
)
def test_planted_fault_is_found(old: str, new: str, expected: str) -> None:
    assert PAGE.count(old) == 1
    found = contract_page.violations(PAGE.replace(old, new), ["lua", "libc"], FILES, SHARED)
    assert any(expected in violation for violation in found), found


def test_new_binding_and_new_shared_test_are_asked_for() -> None:
    assert "there is no row of ruby" in contract_page.violations(PAGE, ["lua", "libc", "ruby"], FILES, SHARED)[0]
    found = contract_page.violations(PAGE, ["lua", "libc"], FILES, {**SHARED, "unnamed": {"libc"}})
    assert found == [f"{contract_page.PAGE}: libc runs test_unnamed of {contract_page.SHARED}, and does not name it"]
