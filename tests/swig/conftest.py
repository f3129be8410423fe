"""Builds the control modules, their helpers and the host, once."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def build(repository: Path) -> Path:
    if shutil.which("swig") is None:
        pytest.fail("swig is not on PATH; `make test` puts it there (pip install 'swig>=4.4')")
    folder = repository / "build" / "swig"
    configure = ["cmake", "-S", str(repository / "tests" / "swig"), "-B", str(folder), "--log-level=WARNING"]
    configure += [f"-DPython_EXECUTABLE={sys.executable}"]
    for command in ([*configure, "-DHAKMEM_WERROR=ON"], ["cmake", "--build", str(folder), "--parallel", "2"]):
        result = subprocess.run(command, capture_output=True, text=True)
        if result.returncode != 0:
            pytest.fail(f"{' '.join(command)}\n{result.stdout}{result.stderr}", pytrace=False)
    return folder
