"""Hosts in C: built against the installed binding by pkg-config, as a user builds one, and by find_package."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from lua_support import HOST_SOURCES, Abi, Build, Host, output_of, run

CASES = re.findall(r'^        \{"(\w+)", test_', (HOST_SOURCES / "states.c").read_text(), re.MULTILINE)

ENDS_ITSELF = ("wrong_size", "warnings", "panic", "closed_twice", "closed_twice_private")


@pytest.mark.parametrize("case", [case for case in CASES if case not in ENDS_ITSELF])
def test_case(host: Host, case: str) -> None:
    output_of(host.run("states", case))


def test_case_with_sizes_checked(host: Host) -> None:
    """osize is exact in every Lua: nothing is reported while states live and die."""
    for case in ("contract", "open_and_close", "private_heap"):
        output_of(host.run("states", case, HAKMEM_DEBUG="1"))


def test_structs_are_read_up_to_their_size(host: Host) -> None:
    output_of(host.run("struct_sizes"))


def test_each_request_is_refused_once(host: Host) -> None:
    shared, private = output_of(host.run("refusals")).split()
    assert int(shared) > 50
    assert int(private) > 50


def test_wrong_size_is_found_with_debug(host: Host) -> None:
    result = host.run("states", "wrong_size", HAKMEM_DEBUG="1")
    assert result.returncode == -6
    assert re.search(r"^hakmem: error: corruption: .* is freed as 4000 bytes \(size class 40 bytes", result.stderr)
    result = host.run("states", "wrong_size", HAKMEM_DEBUG="1", HAKMEM_ON_ERROR="report")
    assert result.returncode == 0, result.stderr
    assert [int(size) for size in re.findall(r"is freed as (\d+) bytes", result.stderr)] == [4000, 5000, 6000]


def test_state_that_is_closed_twice_is_reported(host: Host) -> None:
    for case in ("closed_twice", "closed_twice_private"):
        result = host.run("states", case, HAKMEM_PURGE_DELAY_MS="3600000")
        assert result.returncode == -6, result.stderr
        assert re.fullmatch(r"hakmem: error: hak_lua_close: the state \w+ was closed before; .*\n", result.stderr)


def test_warnings_and_panic_are_as_in_the_stock_interpreter(host: Host) -> None:
    result = host.run("states", "warnings")
    assert result.returncode == 0, result.stderr
    assert result.stderr == ("Lua warning: one message\n" if host.abi.name in ("lua54", "lua55") else "")
    result = host.run("states", "panic")
    assert result.returncode != 0
    assert result.stderr == "PANIC: unprotected error in call to Lua API (nobody catches this)\n"


def test_example_host(host: Host) -> None:
    program = host.folder / f"example-{host.abi.name}"
    source = HOST_SOURCES.parents[2] / "bindings" / "lua" / "example" / "host.c"
    options = ["-std=gnu11", "-O1", "-Wall", "-Wextra", "-Werror", "-pthread"]
    output_of(run(["cc", *options, source, "-o", program, *host.flags(), "-lm", "-ldl"]))
    output = output_of(run([program, "24", "3"], env=host.environment))
    rows = {line[:16].strip(): line[16:].split() for line in output.splitlines() if line[16:23].strip().isdigit()}
    assert rows["loads and drops"][0] == "7"
    assert rows["loads and drops"][4] == "0"
    assert rows["runs away"][4:] == ["6", "not", "enough", "memory"]
    figures = re.findall(r"(\d+\.\d) (?:before|all|peak|coll)", output)
    before, _, peak, idle, closed = (float(figure) for figure in figures)
    assert peak > idle > 0
    assert closed < before + 8
    refused = run([program, "0"], env=host.environment)
    assert refused.returncode == 2
    assert refused.stderr == "host: STATES must be a number from 1 to 10000, not 0\n"


def footprint(host: Host, kind: str, count: int) -> tuple[int, int]:
    per_state, left = output_of(host.run("footprint", kind, str(count))).split()
    return int(per_state), int(left)


def test_small_states_cost_no_more_than_under_stock_malloc(host: Host) -> None:
    stock, _ = footprint(host, "stock", 2000)
    shared, left = footprint(host, "shared", 2000)
    assert shared <= 1.1 * stock, f"{shared} bytes per state, stock {stock}"
    assert left < 18 << 20  # what may be kept for a moment


def test_small_private_state(host: Host) -> None:
    per_state, left = footprint(host, "private", 200)
    assert per_state <= (160 << 10 if host.abi.name == "lua54" else 200 << 10), f"{per_state} bytes per state"
    assert left < 200 * per_state / 4, "a private heap gives all of it back at once"


CONSUMER_CMAKE = """
cmake_minimum_required(VERSION 3.20)
project(consumer LANGUAGES C CXX)
find_package(hakmem 0.1 REQUIRED CONFIG)
@FIND_LUA@
foreach(language c cc)
    add_executable(consumer_${language} consumer.${language})
    target_link_libraries(consumer_${language} PRIVATE hakmem::@ABI@ ${LUA_LIBRARIES})
    target_include_directories(consumer_${language} PRIVATE ${LUA_INCLUDE_DIR})
endforeach()
"""

# As in docs/lua.md.
FIND_LUAJIT = """
find_package(PkgConfig REQUIRED)
pkg_check_modules(LUA REQUIRED IMPORTED_TARGET luajit)
set(LUA_LIBRARIES PkgConfig::LUA)
"""

CONSUMER = """
#include <hakmem_lua.h>
int main(void) {
    lua_State *L = hak_lua_open(NULL);
    if (L == NULL) return 1;
    hak_lua_close(L);
    return 0;
}
"""


def test_find_package(host: Host, tmp_path: Path) -> None:
    version = host.abi.pkg_config.removeprefix("lua")
    find_lua = FIND_LUAJIT if host.abi.name == "luajit" else f"find_package(Lua {version} EXACT REQUIRED)"
    text = CONSUMER_CMAKE.replace("@FIND_LUA@", find_lua).replace("@ABI@", host.abi.name)
    (tmp_path / "CMakeLists.txt").write_text(text)
    (tmp_path / "consumer.c").write_text(CONSUMER)
    (tmp_path / "consumer.cc").write_text(CONSUMER)
    for command in (
        ["cmake", "-S", tmp_path, "-B", tmp_path / "build", f"-DCMAKE_PREFIX_PATH={host.build.prefix}"],
        ["cmake", "--build", tmp_path / "build"],
        [tmp_path / "build" / "consumer_c"],
        [tmp_path / "build" / "consumer_cc"],
    ):
        result = run(command, env=host.environment)
        assert result.returncode == 0, result.stdout + result.stderr


def test_archive_defines_only_names_of_ours(abi: Abi, lua_build: Build) -> None:
    archive = lua_build.tree / "bindings" / "lua" / f"libhakmem_{abi.name}.a"
    result = run(["nm", "--extern-only", "--defined-only", "--format=posix", archive])
    names = [line.split()[0] for line in result.stdout.splitlines() if len(line.split()) >= 2]
    assert "hak_lua_alloc" in names
    assert [name for name in names if not name.startswith("hak_")] == []


def test_children_of_a_busy_host_go_on_with_its_states(host: Host) -> None:
    result = host.run("forks", "100")
    assert result.returncode == 0, result.stderr


def test_private_states_of_threads_are_not_taken_for_closed_ones(host: Host) -> None:
    result = host.run("private_threads", "6000")
    assert result.returncode == 0, result.stderr


def test_states_of_other_threads_take_the_allocator_of_one(host: Host) -> None:
    """Some garbage of the first state may be left; of the others nothing is."""
    output = output_of(host.run("shared_account", "30"))
    match = re.fullmatch(r"(-?\d+) bytes and (-?\d+) blocks more than before, 0 refused\n", output)
    assert match, output
    assert abs(int(match[1])) < 64 << 10
    assert abs(int(match[2])) < 500


def test_states_of_other_threads_take_the_allocator_of_a_stock_state(host: Host) -> None:
    if host.abi.name == "luajit":
        pytest.skip("the allocator of a state of LuaJIT's serves one thread at a time")
    assert output_of(host.run("shared_account", "30", "stock")) == ""


@pytest.mark.parametrize("kind", ["one", "stopped", "threads", "openings"])
def test_no_request_fails_at_a_soft_limit(host: Host, kind: str) -> None:
    """The limit is armed again by what is collected, or by a state of another thread, before Lua asks again."""
    if kind in ("threads", "openings") and not host.abi.collects_when_refused:
        pytest.skip("no limit where states of several threads take one allocator")
    assert output_of(host.run("soft_limit", kind)) == "0 failures\n"
