"""The module under a stock interpreter: the swap, its figures and options, and what bad input is told."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import hakmem
import pytest
from lua_support import Interpreter, output_of, run

TO_JSON = """
local function json(value)
  local kind = type(value)
  if kind == "string" then return '"' .. value:gsub('["\\\\]', "\\\\%0") .. '"' end
  if kind ~= "table" then return (tostring(value):gsub("%.0$", "")) end
  local parts = {}
  if #value > 0 then
    for _, item in ipairs(value) do parts[#parts + 1] = json(item) end
    return "[" .. table.concat(parts, ",") .. "]"
  end
  for key, item in pairs(value) do parts[#parts + 1] = '"' .. key .. '":' .. json(item) end
  return "{" .. table.concat(parts, ",") .. "}"
end
"""


def test_require_swaps_the_running_state(lua: Interpreter) -> None:
    script = """
    print(hakmem.is_enabled())
    local before = hakmem.stats().state.used_bytes
    local held = {}
    for number = 1, 10000 do held[number] = {number} end
    local more = hakmem.stats().state.used_bytes - before
    print(more >= 10000 * 40 and more < 3000000)
    """
    assert lua.output(script) == "true\ntrue\n"


def test_option_l_of_the_interpreter(lua: Interpreter) -> None:
    result = lua.run("print(package.loaded.hakmem.is_enabled())", "-l", "hakmem")
    assert output_of(result) == "true\n"


def test_blocks_from_before_go_back_where_they_came_from(lua: Interpreter) -> None:
    """Tables, strings, closures and stacks of the previous allocator are resized and freed after the swap."""
    script = """
    local held, coroutines = {}, {}
    for number = 1, 20000 do held[number] = {number, tostring(number) .. "x", function() return number end} end
    for number = 1, 100 do
      coroutines[number] = coroutine.create(function(...)
        local function deep(n) if n == 0 then return coroutine.yield() end return 1 + deep(n - 1) end
        deep(number)
      end)
      coroutine.resume(coroutines[number])
    end
    local hakmem = require "hakmem"
    for number = 1, 20000, 2 do held[number] = nil end
    for number = 2, 20000, 2 do for more = 1, 20 do held[number][#held[number] + 1] = more end end
    collectgarbage() collectgarbage()
    for number = 2, 20000, 2 do assert(held[number][2] == number .. "x" and held[number][3]() == number) end
    for number = 2, 20000, 2 do assert(#held[number] == 23 and held[number][23] == 20) end
    for number = 1, 100 do assert(coroutine.resume(coroutines[number], 0)== false or true) end
    held, coroutines = nil, nil
    collectgarbage() collectgarbage()
    print("fine")
    """
    assert output_of(lua.run(script, HAKMEM_DEBUG="1")) == "fine\n"


def test_keys_are_those_of_the_python_binding(lua: Interpreter) -> None:
    found = json.loads(lua.output(TO_JSON + "print(json(hakmem.stats()))"))
    assert set(found) - {"state"} == set(hakmem.stats())
    assert set(found["classes"][0]) == set(hakmem.stats()["classes"][0])
    parts = ("live_bytes", "cached_bytes", "pinned_bytes", "free_resident_bytes", "unbacked_bytes")
    assert found["mapped_bytes"] == sum(found[part] for part in parts)
    assert 0 < found["state"]["used_bytes"] <= found["live_bytes"]


def test_options_are_those_of_the_python_binding(lua: Interpreter) -> None:
    found = json.loads(lua.output(TO_JSON + "print(json(hakmem.options()))"))
    # nil is no value in a table, an empty one is neither list nor map; the interpreters differ in what was set, and in
    # how exactly they print large numbers.
    for rows in (found, expected := hakmem.options()):
        for row in rows:
            del row["value"]
            row["maximum"] = float(f"{row.get('maximum') or 0:.13g}")
            for key in [key for key, value in row.items() if value in (None, [], {})]:
                del row[key]
    assert found == expected


def test_counts_are_integers(lua: Interpreter) -> None:
    script = """
    local kind = math.type or function(value) return value % 1 == 0 and "integer" or "float" end
    for key, value in pairs(hakmem.stats()) do
      if type(value) ~= "table" then assert(kind(value) == "integer", key) end
    end
    assert(kind(hakmem.trim()) == "integer" and kind((hakmem.limit())) == "integer")
    assert(kind(hakmem.get_option("retain_bytes")) == "integer")
    print("fine")
    """
    assert lua.output(script) == "fine\n"


def test_limit_beyond_integers_is_the_largest(lua: Interpreter) -> None:
    script = """
    local heap = hakmem.control.heap_new(0, "18446744073709551614")
    local limit = hakmem.control.heap_stats(heap).hard_limit_bytes
    assert(limit == (math.maxinteger or 2^64), limit)
    hakmem.control.heap_destroy(heap)
    print("fine")
    """
    assert lua.output(script) == "fine\n"


def test_disable_and_enable(lua: Interpreter) -> None:
    script = """
    local ours = {}
    for number = 1, 5000 do
      ours[number] = {}
      for more = 1, 5 do ours[number][more] = number end
    end
    hakmem.disable()
    assert(not hakmem.is_enabled())
    local before = hakmem.stats()
    local theirs = {}
    for number = 1, 5000 do theirs[number] = {number} end
    local after = hakmem.stats()
    assert(after.state.used_bytes <= before.state.used_bytes)
    assert(after.passed_requests - before.passed_requests >= 5000)
    for number = 1, 5000 do for more = 2, 20 do ours[number][more] = more end end
    assert(hakmem.stats().state.used_bytes < after.state.used_bytes, "grown blocks of ours move")
    assert(hakmem.enable() == true and hakmem.is_enabled())
    for number = 1, 5000 do for more = 2, 9 do theirs[number][more] = more end end
    assert(hakmem.stats().state.used_bytes > after.state.used_bytes)
    for number = 1, 5000 do
      for more = 2, 9 do assert(ours[number][more] == more and theirs[number][more] == more) end
      assert(ours[number][1] == number and theirs[number][1] == number)
    end
    print("fine")
    """
    assert lua.output(script) == "fine\n"


def test_environment_switches_it_off(lua: Interpreter) -> None:
    """A program that sets limits and reads figures runs on as before; nothing is enforced."""
    script = """
    assert(not hakmem.is_enabled() and hakmem.enable() == false and not hakmem.is_enabled())
    local state = hakmem.stats().state
    assert(state.peak_bytes == 0 and state.hard_limit_bytes == 0 and state.private_heap == false)
    print(hakmem.limit())
    print(hakmem.limit(2^20, 2^21))
    local text = ("x"):rep(2^22)
    hakmem.disable()
    print(hakmem.limit())
    state = hakmem.stats().state
    print(state.soft_limit_bytes, state.hard_limit_bytes, state.used_bytes, state.hard_refusals, #text)
    print(select(2, pcall(hakmem.limit, 20, 10)))
    print(hakmem.limit(0, 0))
    """
    assert lua.output(script, HAKMEM="0").splitlines() == [
        "0\t0",
        "1048576\t2097152",
        "1048576\t2097152",
        "1048576\t2097152\t0\t0\t4194304",
        "hakmem: the soft limit 20 is above the hard limit 10; give soft <= hard, or 0 for none",
        "0\t0",
    ]


def test_limits_that_were_kept_hold_once_enabled(lua: Interpreter) -> None:
    if lua.abi.name != "luajit":
        pytest.skip("a script of this Lua cannot change its environment")
    script = """
    hakmem.limit(0, 2^21)
    local ffi = require "ffi"
    ffi.cdef "int unsetenv(const char *name);"
    ffi.C.unsetenv("HAKMEM")
    print(hakmem.enable(), hakmem.limit())
    print(pcall(string.rep, "x", 2^22))
    """
    assert lua.output(script, HAKMEM="0").splitlines() == ["true\t0\t2097152", "false\tnot enough memory"]


def test_limits_bind_nothing_while_disabled(lua: Interpreter) -> None:
    script = """
    hakmem.disable()
    print(hakmem.limit(0, 2^21))
    local text = ("x"):rep(2^22)
    print(hakmem.stats().state.hard_limit_bytes, hakmem.stats().state.hard_refusals)
    text = nil
    collectgarbage()
    hakmem.enable()
    print(hakmem.limit())
    print(pcall(string.rep, "x", 2^22))
    """
    *limits, refused = lua.output(script).splitlines()
    assert limits == ["0\t2097152", "2097152\t0", "0\t2097152"]
    assert refused.startswith("false\tnot enough memory")  # Lua 5.3 says what for


def test_option_that_passes_all_requests_on(lua: Interpreter) -> None:
    script = """
    local held = {}
    for number = 1, 1000 do held[number] = {number} end
    print(hakmem.is_enabled(), hakmem.stats().state.used_bytes, hakmem.stats().passed_requests >= 1000)
    """
    assert lua.output(script, HAKMEM_TINY_USE_SUPERSLAB="0").split() == ["true", "0", "true"]


def test_required_in_a_coroutine_and_again(lua: Interpreter) -> None:
    script = """
    local hakmem = coroutine.wrap(function() return require "hakmem" end)()
    local held = {}
    for number = 1, 1000 do held[number] = {number} end
    local used = hakmem.stats().state.used_bytes
    package.loaded.hakmem = nil
    local again = require "hakmem"
    assert(again.stats().state.used_bytes >= used, "one account")
    collectgarbage()
    print(again.is_enabled())
    """
    assert output_of(lua.run(script, HAKMEM_DEBUG="1")) == "true\n"


def test_set_option(lua: Interpreter) -> None:
    script = """
    hakmem.set_option("retain_percent", 7) print(hakmem.get_option("retain_percent"))
    hakmem.set_option("retain_percent", "8") print(hakmem.get_option("retain_percent"))
    hakmem.set_option("counters", true) print(hakmem.get_option("counters"))
    assert(next(hakmem.stats().counters))
    hakmem.set_option("on_error", "report") print(hakmem.get_option("on_error"))
    """
    assert lua.output(script).split() == ["7", "8", "1", "report"]


BAD = {
    "hakmem.enable(nil)": r'enable takes no argument or "replace", not nil$',
    "hakmem.enable(7)": r'enable takes no argument or "replace", not 7$',
    "hakmem.enable('force')": r'enable takes no argument or "replace", not "force"$',
    "hakmem.enable('\\27\\10\\194\\155')": r'not "\?\?\?\?"$',
    "hakmem.limit(0, ('x\\n'):rep(5000))": r'the hard limit must be .* not the string "(x\?){40}\.\.\."$',
    "hakmem.set_option('\\226\\128\\174', {})": r"option '\?\?\?' must be a number",
    "hakmem.limit(1)": r"takes no argument or both, limit\(soft, hard\), not 1",
    "hakmem.limit(1, 2, 3)": r"not 3$",
    "hakmem.limit(nil, nil)": r"the soft limit must be a whole number of bytes, 0 for none, not nil",
    "hakmem.limit('a', 1)": r'the soft limit must be .* not the string "a"$',
    "hakmem.limit('1', 1)": r'the soft limit must be .* not the string "1"$',
    "hakmem.limit(0, {})": r"the hard limit must be .* not table",
    "hakmem.limit(0, -1)": r"the hard limit must be .* not -1$",
    "hakmem.limit(0, 1.5)": r"the hard limit must be .* not 1.5$",
    "hakmem.limit(0, 0/0)": r"the hard limit must be .* not -?nan$",
    "hakmem.limit(0, 1/0)": r"the hard limit must be .* not inf$",
    "hakmem.limit(0, 2^63)": r"the hard limit must be .* not 9.22337203685\d+e\+18$",
    "hakmem.limit(20, 10)": r"the soft limit 20 is above the hard limit 10; give soft <= hard",
    "hakmem.get_option()": r"the name of an option must be a string, not no value|must be a string, not nil",
    "hakmem.get_option(7)": r"the name of an option must be a string, not 7",
    "hakmem.get_option('retain_byte')": r"retain_bytes",
    "hakmem.get_option('a\\0b')": r"contains a NUL character",
    "hakmem.set_option('counters')": r"the value of option 'counters' must be a number, a string or a boolean, not nil",
    "hakmem.set_option('counters', 2)": r"counters.*2.*0,1",
    "hakmem.set_option('counters', -1)": r"counters.*-1.*0,1",
    "hakmem.set_option('retain_percent', 1.5)": r"1\.5",
    "hakmem.set_option('retain_percent', 5000)": r"5000.*1000",
    "hakmem.set_option('nothing', {})": r"option 'nothing' must be a number, a string or a boolean, not table",
    "hakmem.set_option('nothing', 1)": r"there is no option 'nothing'; options\(\) lists them$",
    "hakmem.set_option('thp', 'never')": r"thp",
    "hakmem.set_option({}, {})": r"must be a string, not table",
}


@pytest.mark.parametrize("call", BAD)
def test_bad_input_is_one_line_that_names_it(lua: Interpreter, call: str) -> None:
    script = f"local ok, message = pcall(function() {call} end) assert(not ok) print(message)"
    (line,) = lua.output(script).splitlines()
    assert "hakmem: " in line
    assert re.search(BAD[call], line), line


def test_control_is_the_same_in_every_lua(lua: Interpreter) -> None:
    """All of it, in one Lua: tests/swig."""
    script = """
    local control = hakmem.control
    control.option_set("retain_percent", 7)
    assert(control.option_get("retain_percent") == 7 and hakmem.get_option("retain_percent") == 7)
    local heap = control.heap_new(0, 2^20)
    control.heap_set_limit(heap, 4096, 1099511627776)
    local figures = control.heap_stats(heap)
    print(figures.soft_limit_bytes, string.format("%.0f", figures.hard_limit_bytes), #control.heaps())
    print(control.stats_json():match('"hard_limit_bytes": (%d+)'), control.version() == hakmem.version)
    for _, action in ipairs { function() control.heap_new(0, -1) end, function() control.option_get(nil) end } do
      print(select(2, pcall(action)))
    end
    for name in pairs(_G) do assert(not name:find("swig"), name) end
    """
    assert lua.output(script).splitlines() == [
        "4096\t1099511627776\t1",
        "1099511627776\ttrue",
        "the hard limit is '-1'; give a whole number of bytes, or 0 for none",
        "the name of an option is missing; give text",
    ]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("lua5.9", "there is no 'lua5.9' on PATH. Name one:  LUA=lua5.1, "),
        ("cat", "'cat' is not an interpreter of Lua 5.1 to 5.5 or LuaJIT. Name one:  LUA=lua5.4"),
        ("lua5.5", "Install with:  sudo apt-get install -y lua5.5 liblua5.5-dev"),
        ("lua5.1", "Install with:  sudo apt-get install -y lua5.1 liblua5.1-0-dev"),
        ("luajit", "Install with:  sudo apt-get install -y luajit libluajit-5.1-dev"),
        ("", "Install with:  sudo apt-get install -y lua5.4 liblua5.4-dev"),
    ],
)
def test_missing_interpreter_is_one_line_that_helps(repository: Path, tmp_path: Path, name: str, message: str) -> None:
    (tmp_path / "cat").symlink_to(shutil.which("cat") or "")
    command = [shutil.which("bash") or "", repository / "bindings" / "lua" / "find-lua", name]
    result = run(command, env={"PATH": str(tmp_path)})
    assert (result.returncode, result.stdout) == (1, "")
    (line,) = result.stderr.splitlines()
    assert line.startswith("error: ")
    assert message in line


def test_module_exports_little_and_stays_loaded(lua: Interpreter) -> None:
    names = run(["nm", "--dynamic", "--defined-only", "--format=posix", lua.module]).stdout.split("\n")
    assert [line.split()[0] for line in names if line] == ["hak_published", "luaopen_hakmem"]
    assert "NODELETE" in run(["readelf", "--dynamic", lua.module]).stdout
