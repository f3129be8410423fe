"""The packages whose tests are run: where these lie, how they are started, which end differently and why."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field

from peer.compare import Listed


@dataclass(frozen=True)
class Suite:
    """`requirements` are what pip installs. `is_installed`: the tests come with the package; else they are in its
    sdist. `files` are patterns below either, each match a process of pytest's; `without` are files of the sdist that
    would stand before the installed package."""

    requirements: list[str]
    files: list[str]
    is_installed: bool = False
    without: list[str] = field(default_factory=list)
    options: list[str] = field(default_factory=list)
    variables: Mapping[str, str] = field(default_factory=dict)


# pytest would go on looking for a file of settings, and find this project's.
NO_SETTINGS = ["-c", os.devnull]

SUITES = {
    "numpy": Suite(
        ["numpy", "hypothesis"],
        ["numpy/_core/tests/test_*.py", "numpy/lib/tests/test_*.py"],
        is_installed=True,
        options=NO_SETTINGS,
    ),
    "pandas": Suite(
        ["pandas", "hypothesis"],
        ["pandas/tests/groupby/**/test_*.py", "pandas/tests/io/parser/**/test_*.py"],
        is_installed=True,
        options=NO_SETTINGS,
    ),
    "lxml": Suite(["lxml"], ["src/lxml/tests/test_*.py"], without=["src/lxml/__init__.py"], options=NO_SETTINGS),
    # Its conftest.py prefers the sdist's sources to the installed package unless user sites are off. The tests that it
    # marks so itself measure time and objects, or run another program's suite.
    "sqlalchemy": Suite(
        ["sqlalchemy", "greenlet", "aiosqlite"],
        ["test/base", "test/dialect", "test/engine", "test/ext", "test/orm", "test/sql"],
        options=["-m", "not memory_intensive and not timing_intensive and not mypy", "--maxfail=10000"],
        variables={"PYTHONNOUSERSITE": "1"},
    ),
}

# "FILE TEST" and the reason.
KNOWN: dict[str, str] = {}
UNSTEADY: dict[str, str] = {}

LISTED = Listed(KNOWN, UNSTEADY)
