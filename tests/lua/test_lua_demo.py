"""The Lua part of the demo with a small job: both runs agree, the page fits a terminal."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from lua_support import Interpreter, output_of, run


def test_small_demo(lua: Interpreter, repository: Path, tmp_path: Path) -> None:
    command = [sys.executable, repository / "demo" / "lua_demo.py", "--scale=0.02", "--idle-seconds=0.2"]
    place = ["--lua", lua.abi.interpreter, "--module", lua.module.parent, "--out", tmp_path]
    output = output_of(run([*command, *place]))
    assert max(len(line) for line in output.splitlines()) <= 80
    assert "5000 records, 5 kept" in output
    assert "false\tnot enough memory\nthe next script in the same state: 1000 characters" in output
    for name in ("stock", "hakmem"):
        samples = json.loads((tmp_path / f"{name}.json").read_text())
        assert list(samples["marks"]) == ["build", "drop", "idle", "end"]
        assert samples["cpu_seconds"] > 0
