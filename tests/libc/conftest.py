"""The library and the programs, as fixtures."""

from __future__ import annotations

from pathlib import Path

import pytest
from libc_support import Library, Programs


@pytest.fixture(scope="session")
def library(c_library: Path) -> Library:
    return Library(c_library)


@pytest.fixture(scope="session")
def library_with_checks(c_library_with_checks: Path) -> Library:
    return Library(c_library_with_checks)


@pytest.fixture(scope="session")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Programs:
    return Programs(tmp_path_factory.mktemp("programs"))
