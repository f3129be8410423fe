"""Limits of a state under a stock interpreter: Lua's own error, a state that stays usable, and memory that returns."""

from __future__ import annotations

import pytest
from lua_support import Interpreter, output_of

RUNAWAY = """
local ok, message = pcall(function() local held = {} for number = 1, 1e9 do held[number] = {number} end end)
print(ok, message)
"""


def test_runaway_script_under_16_mib(lua: Interpreter) -> None:
    script = f"""
    print(hakmem.limit(0, 16 * 2^20))
    for round = 1, 5 do
      {RUNAWAY}
      local state = hakmem.stats().state
      assert(state.hard_refusals >= round and state.peak_bytes <= 16 * 2^20)
      local parts = {{}}
      for number = 1, 2000 do parts[number] = tostring(number) .. ("x"):rep(100) end
      assert(#table.concat(parts) > 200000)
    end
    """
    lines = lua.output(script).splitlines()
    assert lines[0].split() == ["0", "16777216"]
    assert lines[1:] == ["false\tnot enough memory"] * 5


def test_uncaught_error_ends_the_interpreter_as_lua_does(lua: Interpreter) -> None:
    result = lua.run("""
    local hakmem = require "hakmem"
    hakmem.limit(0, 4 * 2^20)
    local held = {} for number = 1, 1e9 do held[number] = {number} end
    """)
    assert result.returncode == 1
    assert "not enough memory" in result.stderr


@pytest.mark.parametrize(
    "kind", ["{number}", "tostring(number) .. 'x'", "function() return number end", "('x'):rep(number)"]
)
def test_garbage_is_no_reason_to_fail(lua: Interpreter, kind: str) -> None:
    """A collector that is late by its settings runs when the limit asks for it; the limit holds."""
    script = f"""
    if not pcall(collectgarbage, "param", "pause", 1000) then collectgarbage("setpause", 1000) end
    hakmem.limit(3 * 2^20, 4 * 2^20)
    local kept = {{}}
    for number = 1, 20000 do kept[number % 100] = {kind} end
    local state = hakmem.stats().state
    print(state.peak_bytes <= 4 * 2^20, state.hard_refusals)
    """
    assert lua.output(script).split() == ["true", "0"]


def test_soft_limit_collects_once_and_lets_go_on(lua: Interpreter) -> None:
    script = """
    hakmem.limit(2 * 2^20, 32 * 2^20)
    local held = {}
    for number = 1, 100000 do held[number] = {number} end
    local state = hakmem.stats().state
    print(state.used_bytes > 2 * 2^20, state.soft_refusals, state.hard_refusals, hakmem.limit())
    held = nil
    collectgarbage() collectgarbage()
    print(hakmem.stats().state.used_bytes < 2 * 2^20)
    held = {}
    for number = 1, 100000 do held[number] = {number} end
    print(hakmem.stats().state.soft_refusals)
    """
    found = lua.output(script).split()
    assert found == ["true", "1", "0", "2097152", "33554432", "true", "2"]


def test_collector_is_as_it_was_after_the_limit(lua: Interpreter) -> None:
    """Where the collector has to be told (Lua 5.1, LuaJIT), its settings come back below the limit."""
    if lua.abi.collects_when_refused:
        pytest.skip("this Lua collects by itself")
    script = """
    collectgarbage("setstepmul", 321)
    collectgarbage("setpause", 10000)
    hakmem.limit(2 * 2^20, 4 * 2^20)
    local kept = {}
    for number = 1, 200000 do kept[number % 100] = {number} end
    print(hakmem.stats().state.soft_refusals > 0, collectgarbage("setstepmul", 200))
    """
    assert lua.output(script).split() == ["true", "321"]


def test_every_allocation_of_a_program_fails_once(lua: Interpreter) -> None:
    """A limit that grows block by block, until the program gets through: it fails with Lua's error each time before."""
    script = """
    local function program()
      local parts = {}
      for number = 1, 50 do parts[number] = {name = "n" .. number, call = function() return number end} end
      local thread = coroutine.wrap(function() for number = 1, 10 do coroutine.yield(("y"):rep(number * 50)) end end)
      for number = 1, 10 do parts[#parts + 1] = thread() end
      table.sort(parts, function(a, b) return tostring(a) < tostring(b) end)
      return assert((loadstring or load)("return 1 + 1"))()
    end
    assert(program() == 2)
    collectgarbage("stop")
    local failures = 0
    while true do
      collectgarbage() collectgarbage() collectgarbage("stop")
      local used = hakmem.stats().state.used_bytes
      hakmem.limit(0, used + 64 * failures)
      local ok, message = pcall(program)
      hakmem.limit(0, 0)
      if ok then break end
      assert(message:find("not enough memory"), message)
      failures = failures + 1
    end
    print(failures > 20)
    """
    assert lua.output(script) == "true\n"


def test_memory_returns_after_250k_records(lua: Interpreter) -> None:
    """RSS before, at the peak and after the records were collected, in the interpreter itself."""
    script = """
    local hakmem = require "hakmem"
    local function resident()
      for line in io.lines("/proc/self/smaps_rollup") do
        local kib = line:match("^Rss:%s+(%d+)") if kib then return tonumber(kib) end
      end
    end
    local before = resident()
    local records = {}
    for number = 1, 250000 do
      records[number] = {id = number, name = "record-" .. number, tags = {"a", "b", number}, score = number * 0.5}
    end
    local peak = resident()
    records = nil
    collectgarbage() collectgarbage()
    hakmem.trim()
    print(before, peak, resident())
    """
    before, peak, after = (int(float(word)) for word in output_of(lua.run(script)).split())
    assert peak - before > 40 * 1024
    assert after - before < 6 * 1024, f"{before} {peak} {after} KiB"
