"""A Lua state's blocks live in the core that was in the process first: through its table, not in the module's own."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest


def run(build: Path, script: str) -> list[str]:
    lua = shutil.which("lua5.4")
    if lua is None or not (build / "helper_lua54" / "helper.so").exists():
        pytest.skip("no lua5.4, or no headers of it: apt-get install lua5.4 liblua5.4-dev")
    paths = f'package.cpath = "{build}/hakmem/bindings/lua/lua54/?.so;{build}/helper_lua54/?.so"\n'
    result = subprocess.run([lua, "-"], input=paths + script, capture_output=True, text=True, timeout=120)
    assert result.returncode == 0, result.stderr
    assert result.stderr == ""
    return result.stdout.splitlines()


def test_a_state_is_served_by_the_first_core(build: Path) -> None:
    lines = run(
        build,
        """
        local helper = require "helper"
        assert(helper.own_core_serves() == 1)        -- a module with a core of its own inside
        local hakmem = require "hakmem"
        assert(hakmem.is_enabled())
        local heap = hakmem.control.heap_new(0, 2^20)
        helper.make_blocks(heap, 100, 1000)          -- the helper calls its own core, which is the state's, too
        local before = hakmem.stats()
        local kept = {}
        for index = 1, 20000 do kept[index] = { index, tostring(index) .. ("x"):rep(50) } end
        local after = hakmem.stats()
        print(after.live_blocks - before.live_blocks > 40000)
        print(after.state.used_blocks - before.state.used_blocks > 40000)
        print(hakmem.control.heap_stats(heap).used_blocks)
        kept = nil
        collectgarbage() collectgarbage()
        print(hakmem.stats().live_blocks < before.live_blocks + 2000)
        helper.free_blocks()
        hakmem.control.heap_destroy(heap)
        """,
    )
    assert lines == ["true", "true", "100", "true"]


def test_limits_hold_there(build: Path) -> None:
    lines = run(
        build,
        """
        assert(require "helper".own_core_serves() == 1)
        local hakmem = require "hakmem"
        hakmem.limit(0, hakmem.stats().state.used_bytes + 2^20)
        local has_worked, message = pcall(function()
            local kept = {}
            for index = 1, 1e6 do kept[index] = index .. ("y"):rep(100) end
        end)
        print(has_worked, message)
        hakmem.limit(0, 0)
        hakmem.disable()
        local text = ("z"):rep(1000)                 -- of Lua's own allocator
        hakmem.enable()
        local more = text:rep(100)
        print(#text + #more, hakmem.stats().state.hard_refusals > 0)
        """,
    )
    assert lines[0].startswith("false\t")
    assert lines[1] == "101000\ttrue"


def test_another_version_is_refused_in_one_line(build: Path) -> None:
    lines = run(
        build,
        f"""
        assert(package.loadlib("{build}/stranger.so", "*"))
        local has_worked, message = pcall(require, "hakmem")
        print(has_worked, message)
        """,
    )
    (line,) = lines
    assert line.startswith("false\thakmem: another hakmem serves this process, with interface ")
    assert line.endswith("/stranger.so; use the same release of hakmem in both")


def test_text_that_a_limit_refuses_does_not_stay(build: Path) -> None:
    lines = run(
        build,
        """
        local hakmem = require "hakmem"
        local control = hakmem.control
        for _ = 1, 100 do control.heap_new(0, 0) end
        local function refused()
            collectgarbage()
            hakmem.limit(0, hakmem.stats().state.used_bytes + 3000)
            local has_worked, message = pcall(control.stats_json)
            hakmem.limit(0, 0)
            return not has_worked and message
        end
        print(refused())
        local before = hakmem.stats().live_bytes
        for _ = 1, 100 do refused() end
        collectgarbage()
        print(hakmem.stats().live_bytes - before < 200000)
        """,
    )
    assert lines == ["not enough memory", "true"]
