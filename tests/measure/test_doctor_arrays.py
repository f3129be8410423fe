"""`hakmem doctor` on a process with NumPy's arrays: whose they are, and who serves them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from arrays_support import way_of
from hakmem.measure.breakdown import ARRAYS_TEXTS
from measure_support import MEBIBYTE, hakmem_command
from stats_support import ENABLE, start_served

numpy = pytest.importorskip("numpy", reason="NumPy is not here: pip install numpy")

# Above and below the size from which NumPy asks for huge pages, and none a whole number of them.
ARRAYS = (
    ENABLE
    + """
import numpy
kept = [numpy.ones(count) for count in (3 << 20, 700_000, 100_000) for _ in range(4)]
os.write(1, b"ready\\n")
os.read(0, 1)
hakmem.set_option("arrays", "off")
os.write(1, b"off\\n")
os.read(0, 1)
"""
)
KEPT_BYTES = 4 * 8 * ((3 << 20) + 700_000 + 100_000)


def look(process_id: int, cwd: Path, *words: str) -> str:
    result = hakmem_command("doctor", str(process_id), "--seconds", "0", *words, cwd=cwd)
    assert result.returncode == 0, result.stderr
    return result.stdout


def test_arrays_are_told_and_counted(tmp_path: Path) -> None:
    pytest.importorskip("rich")
    program = start_served(ARRAYS, cwd=tmp_path)
    assert program.stdin is not None
    assert program.stdout is not None
    way = way_of(numpy.__version__)
    seen: Any = json.loads(look(program.pid, tmp_path, "--json"))
    assert seen["arrays_way"] == way
    assert KEPT_BYTES < seen["rows"]["hakmem_live"] < KEPT_BYTES + 32 * MEBIBYTE
    assert seen["rows"]["other_anonymous"] < 8 * MEBIBYTE, "each part of their mappings is hakmem's"
    assert f"NumPy's arrays: {ARRAYS_TEXTS[way]}" in look(program.pid, tmp_path)
    program.stdin.write("x")
    program.stdin.flush()
    assert program.stdout.readline() == "off\n"
    assert "NumPy's arrays: not served: HAKMEM_ARRAYS=off" in look(program.pid, tmp_path)
    program.communicate("x")
