"""A host's own lua_Alloc, and the limit in it, stays in force until a script says enable("replace")."""

from __future__ import annotations

import pytest
from lua_support import Host, Interpreter, output_of, run

ORIGINS = ["linked", "loaded"]
TAKEN = "the host gave this state an allocator of its own, which may limit its memory"
UNTOLD = "whether this state's allocator is its host's own cannot be told, since luaL_newstate makes no state here"
REMEDY = 'hakmem.enable("replace") puts hakmem in its place'


def start(host: Host, kind: str, origin: str, script: str, **environment: str):
    """`require "hakmem"` gives the module of the host's archive ("linked") or the loadable one ("loaded")."""
    module_path = f"{host.build.module(host.abi).parent}/?.so"
    script = 'local hakmem = require "hakmem"\n' + script
    return host.run("limiter", kind, origin, script, LUA_CPATH=module_path, HAKMEM_DEBUG="1", **environment)


def lines_of(result, *warnings: str) -> list[str]:
    """What it printed; fails unless it ended well and stderr has just these lines."""
    assert result.returncode == 0, result.stdout + result.stderr
    assert result.stderr.splitlines() == list(warnings)
    return result.stdout.splitlines()


def warning(reason: str) -> str:
    return f"hakmem: warning: not enabled: {reason}; {REMEDY}"


@pytest.mark.parametrize("origin", ORIGINS)
@pytest.mark.parametrize("kind", ["limited", "wrapped"])
def test_limit_of_the_host_stays(host: Host, kind: str, origin: str) -> None:
    script = """
    print(hakmem.is_enabled(), hakmem.stats().state.used_bytes)
    local ok, message = pcall(hakmem.enable)
    print(ok, message)
    local text = ("x"):rep(2^20)
    print(used() > #text, (pcall(string.rep, "x", limit())))
    package.loaded.hakmem = nil
    print(require "hakmem".is_enabled(), used() <= limit())
    """
    assert lines_of(start(host, kind, origin, script), warning(TAKEN)) == [
        "false\t0",
        f"false\thakmem: {TAKEN}; {REMEDY}",
        "true\tfalse",
        "false\ttrue",
        "left 0",
    ]


@pytest.mark.parametrize("kind", ["limited", "wrapped"])
def test_limit_of_the_host_without_hakmem(host: Host, kind: str) -> None:
    """What test_limit_of_the_host_stays compares with."""
    script = """
    local text = ("x"):rep(2^20)
    print(used() > #text, (pcall(string.rep, "x", limit())))
    collectgarbage() collectgarbage()
    print(used() <= limit())
    """
    assert lines_of(host.run("limiter", kind, "loaded", script)) == ["true\tfalse", "true", "left 0"]


@pytest.mark.parametrize("origin", ORIGINS)
@pytest.mark.parametrize("kind", ["limited", "wrapped", "untold"])
def test_replace_puts_hakmem_in_its_place(host: Host, kind: str, origin: str) -> None:
    """Limits that the script set before hold from then on; a disable brings the host's allocator and limit back."""
    script = """
    hakmem.limit(0, 4 * limit())
    print(hakmem.enable("replace"), hakmem.is_enabled(), (pcall(string.rep, "x", limit())))
    print((pcall(string.rep, "x", 4 * limit())))
    collectgarbage() collectgarbage()
    hakmem.disable()
    print(hakmem.is_enabled(), (pcall(string.rep, "x", limit())))
    print(hakmem.enable(), hakmem.is_enabled(), (pcall(string.rep, "x", limit())))
    """
    reason = UNTOLD if kind == "untold" else TAKEN
    assert lines_of(start(host, kind, origin, script), warning(reason)) == [
        "true\ttrue\ttrue",
        "false",
        "false\tfalse",
        "true\ttrue\ttrue",
        "left 0",
    ]


def test_states_of_hakmem_are_its_own(host: Host) -> None:
    script = """
    print(hakmem.is_enabled(), hakmem.enable(), hakmem.enable("replace"))
    print((pcall(string.rep, "x", limit())), used())
    """
    assert lines_of(start(host, "opened", "linked", script)) == ["true\ttrue\ttrue", "false\t0", "left 0"]
    assert lines_of(start(host, "plain", "linked", script)) == ["true\ttrue\ttrue", "true\t0", "left 0"]


def test_a_second_copy_of_hakmem_does_not_end_the_limit_of_the_first(host: Host) -> None:
    script = 'print(hakmem.is_enabled(), (pcall(string.rep, "x", limit())))'
    assert lines_of(start(host, "opened", "loaded", script), warning(TAKEN)) == ["false\tfalse", "left 0"]


@pytest.mark.parametrize("origin", ORIGINS)
def test_stock_states_are_enabled(host: Host, origin: str) -> None:
    script = 'print(hakmem.is_enabled(), (pcall(string.rep, "x", limit())))'
    assert lines_of(start(host, "stock", origin, script)) == ["true\ttrue", "left 0"]


ENFORCED = {  # the table of docs/lua.md
    "enabled": ("stock", {}, "", True),
    "disabled": ("stock", {}, "hakmem.disable()", False),
    "enabled again": ("stock", {}, "hakmem.disable() hakmem.enable()", True),
    "HAKMEM=0": ("stock", {"HAKMEM": "0"}, "", False),
    "HAKMEM_TINY_USE_SUPERSLAB=0": ("stock", {"HAKMEM_TINY_USE_SUPERSLAB": "0"}, "", False),
    "the host's own": ("limited", {}, "", False),
    "replaced": ("limited", {}, "hakmem.enable('replace')", True),
    "opened": ("opened", {}, "", True),
    "opened, HAKMEM=0": ("opened", {"HAKMEM": "0"}, "", True),
    "opened, HAKMEM_TINY_USE_SUPERSLAB=0": ("opened", {"HAKMEM_TINY_USE_SUPERSLAB": "0"}, "", True),
}


@pytest.mark.parametrize("row", ENFORCED)
def test_limits_are_remembered_and_enforced_as_the_manual_says(host: Host, row: str) -> None:
    kind, environment, action, is_enforced = ENFORCED[row]
    script = f"""
    hakmem.limit(0, 2^19)
    {action}
    print(hakmem.limit())
    print(hakmem.stats().state.hard_limit_bytes, not pcall(string.rep, "x", 2^20))
    """
    warnings = [warning(TAKEN)] if kind == "limited" else []
    found = lines_of(start(host, kind, "linked", script, **environment), *warnings)
    assert found == ["0\t524288", f"524288\t{str(is_enforced).lower()}", "left 0"]


def test_environment_wins_over_replace(host: Host) -> None:
    script = 'print(hakmem.enable(), hakmem.enable("replace"), hakmem.is_enabled())'
    assert lines_of(start(host, "limited", "linked", script, HAKMEM="0")) == ["false\tfalse\tfalse", "left 0"]


def test_module_loads_where_luaL_newstate_is_missing(lua: Interpreter) -> None:
    """A program may have been linked without it; a strong reference would keep the module from loading there."""
    result = run(["nm", "--dynamic", "--undefined-only", "--format=posix", lua.module])
    assert "luaL_newstate w" in [line.strip() for line in output_of(result).splitlines()]
