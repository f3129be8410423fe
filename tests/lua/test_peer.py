"""The script that runs Lua's own suite tells a suite that passes from one that fails, differs or is not one."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from lua_support import Interpreter, run

SCRIPT = Path(__file__).resolve().parents[1] / "peer" / "lua_suite.py"
PASSES = "print('testing something') print('final OK !!!')"
ON_HAKMEM = "package.loaded.hakmem"


def run_script(lua: Interpreter, folder: Path, suite: str | None):
    if suite is not None:
        (folder / "all.lua").write_text(suite)
    return run([sys.executable, SCRIPT, "--lua", lua.abi.interpreter, "--module", lua.module.parent, folder])


@pytest.mark.parametrize(
    ("suite", "code", "said"),
    [
        (PASSES, 0, "the suite passes on hakmem as it does on stock"),
        (f"if {ON_HAKMEM} then error('lost') end {PASSES}", 1, "all.lua:1: lost"),
        (f"print({ON_HAKMEM} and 'left out' or 'done') {PASSES}", 1, "  leftout"),
        (f"if {ON_HAKMEM} then os.exit(0) end {PASSES}", 1, "exit code 0: no output"),
        ("print('no end')", 1, "exit code 0: no end"),
        ('local version = "Lua 4.0" ' + PASSES, 1, "is for Lua 4.0"),
        (None, 1, "it has no all.lua"),
    ],
)
def test_verdicts(lua: Interpreter, tmp_path: Path, suite: str | None, code: int, said: str) -> None:
    result = run_script(lua, tmp_path, suite)
    assert result.returncode == code
    assert said in result.stdout + result.stderr


def test_a_missing_module_is_named(lua: Interpreter, tmp_path: Path) -> None:
    (tmp_path / "all.lua").write_text(PASSES)
    result = run([sys.executable, SCRIPT, "--lua", lua.abi.interpreter, "--module", tmp_path, tmp_path])
    assert result.returncode == 1
    assert f"error: {tmp_path} holds no hakmem.so; build it with make lua" in result.stderr
