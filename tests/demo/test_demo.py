"""The demo with a small job: both runs agree, the page fits a terminal; and the chart draws what it is given."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import chart
import pytest
from sample import run_sampled


@pytest.mark.parametrize("encoding", ["utf-8", "ascii"])
def test_small_demo(repository: Path, tmp_path: Path, encoding: str) -> None:
    command = [sys.executable, str(repository / "demo" / "demo.py"), "--scale=0.02", "--idle-seconds=0.3"]
    result = subprocess.run(
        [*command, f"--out={tmp_path}"],
        capture_output=True,
        encoding=encoding,
        env={"PATH": "/usr/bin:/bin", "PYTHONIOENCODING": encoding},
    )
    assert result.returncode == 0, result.stdout + result.stderr
    assert max(len(line) for line in result.stdout.splitlines()) <= 80
    assert "hakmem / stock" in result.stdout
    for name in ("stock", "hakmem"):
        run = json.loads((tmp_path / f"{name}.json").read_text())
        assert run["exit_code"] == 0
        assert run["cpu_seconds"] > 0
        assert len(run["samples"]) > 10
        assert list(run["marks"]) == ["parse", "load", "drop", "idle", "end"]


def test_samples_see_memory_come_and_go(tmp_path: Path) -> None:
    marks = tmp_path / "marks"
    program = f"""
import time
def mark(name):
    with open({str(marks)!r}, "a") as file:
        file.write(f"{{name}} {{time.monotonic()}}\\n")
block = bytearray(64 << 20)
time.sleep(0.3)
mark("full")
del block
mark("dropped")
time.sleep(0.3)
raise SystemExit(7)
"""
    run = run_sampled([sys.executable, "-c", program], marks, {})
    assert run.exit_code == 7
    assert run.peak_bytes() >= 64 << 20
    assert run.bytes_before("full") >= 64 << 20
    assert run.bytes_after("dropped") < 64 << 20


def test_chart_is_drawn_to_scale() -> None:
    ramp = [(second, second * 10) for second in range(11)]
    flat = [(second, 50) for second in range(6)]
    text = chart.side_by_side(
        [("left", ramp, [("a", 0.0)]), ("right", flat, [("b", 5.0)])], unit=1, unit_name="B", height=4, plain_ascii=True
    )
    lines = text.splitlines()
    assert "100 B|" in lines[1]
    left, right = ([line.split("|")[panel] for line in lines[1:5]] for panel in (1, 2))
    assert [row.count("#") > 0 for row in right] == [False, False, True, True]  # 50 of 100: two of four rows
    counts = [row.count("#") for row in left]
    assert counts == sorted(counts)
    assert counts[0] > 0
    assert right[3].rstrip().count("#") < len(left[3])  # ended half way: the rest stays empty


@pytest.mark.parametrize(("value", "top"), [(7, 8), (10, 10), (11, 20), (230, 250), (479, 500), (801, 1000)])
def test_axis_ends_at_a_round_figure(value: float, top: int) -> None:
    assert chart.round_top(value) == top
