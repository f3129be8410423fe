"""NumPy's own tests of its memory policy, on the data handler that hakmem has taken, and beside it."""

from __future__ import annotations

import re
import shutil
import sys
from pathlib import Path

import pytest
from python_support import SECONDS_MAX, clean_environment, run

numpy = pytest.importorskip("numpy", reason="NumPy is not here: pip install numpy")

# As a plugin of pytest it is there before the tests import NumPy.
PLUGIN = """
import os
import hakmem
if os.environ["TESTED"] == "after":
    import numpy
if os.environ["TESTED"] != "stock":
    assert hakmem.enable(arrays="on")
def pytest_terminal_summary(terminalreporter):
    terminalreporter.write_line(f"arrays: {hakmem.arrays()['served_by']}")
"""


def policy_tests() -> Path:
    package = Path(numpy.__path__[0])
    places = (package / core / "tests" / "test_mem_policy.py" for core in ("_core", "core"))
    found = next((path for path in places if path.exists()), None)
    if found is None:
        pytest.skip("this NumPy comes without its tests")
    return found


@pytest.mark.timeout(3 * SECONDS_MAX)
def test_memory_policy(tmp_path: Path) -> None:
    tests = policy_tests()
    tools = Path(sys.executable).parent
    variables = {"PATH": f"{tools}:{clean_environment()['PATH']}"}
    missing = [tool for tool in ("cc", "meson", "ninja") if shutil.which(tool, path=variables["PATH"]) is None]
    if missing:
        pytest.skip(f"NumPy's tests build a module: {', '.join(missing)} is not here")
    (tmp_path / "hakmem_plugin.py").write_text(PLUGIN)
    outcomes = {}
    for tested in ("stock", "before", "after"):
        environment = clean_environment(**variables, PYTHONPATH=str(tmp_path), TESTED=tested)
        command = [sys.executable, "-m", "pytest", "-q", "-p", "hakmem_plugin", "-p", "no:cacheprovider", str(tests)]
        result = run(command, environment=environment, cwd=tmp_path)
        way, counts = re.findall("arrays: (.*)", result.stdout), re.findall("[0-9]+ (?:passed|skipped)", result.stdout)
        assert result.returncode == 0, result.stdout + result.stderr
        assert len(way) == 1
        assert (way == ["None"]) == (tested == "stock")
        outcomes[tested] = counts
    assert outcomes["before"] == outcomes["after"] == outcomes["stock"]
    assert outcomes["stock"]
