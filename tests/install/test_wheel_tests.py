"""The tests of a wheel have the files of test-sources and no source tree, as cibuildwheel runs them.

`make wheel` runs all of them so, which takes minutes; this is where a file that they lack is noticed at once.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

try:
    import tomllib
except ModuleNotFoundError:  # `build` brings it before Python 3.11
    import tomli as tomllib

PREPARE = "from pathlib import Path; from peer.prepare import prepare; prepare(Path('peer'), with_malloc=False)"


@pytest.fixture
def folder(repository: Path, tmp_path: Path) -> Path:
    settings = tomllib.loads((repository / "pyproject.toml").read_text("utf-8"))["tool"]["cibuildwheel"]
    for name in settings["test-sources"]:
        source, copy = repository / name, tmp_path / name
        copy.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, copy, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, copy)
    return tmp_path


def succeeds(folder: Path, *words: str) -> str:
    environment = {**os.environ, "PYTHONPATH": str(folder / "tests")}
    result = subprocess.run([sys.executable, *words], cwd=folder, env=environment, capture_output=True, text=True)
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


def test_all_are_found(folder: Path) -> None:
    told = succeeds(folder, "-m", "pytest", "-q", "--collect-only", "tests/python")
    assert "tests/python/test_peer_cpython.py::test_part_of_the_suite_ends_as_on_stock" in told


def test_cpythons_own_tests_get_the_installed_package(folder: Path) -> None:
    succeeds(folder, "-c", PREPARE)
    assert list(folder.glob("peer/lib/*/site-packages/hakmem/__init__.py"))
