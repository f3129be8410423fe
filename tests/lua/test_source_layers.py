"""The sources of the binding lie on floors: a file includes and calls itself and files on lower floors, no others."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

import pytest
from lua_support import Abi, Build, run

# Bottom up. Files on one floor do not know each other.
FLOORS = [
    {"serve", "stock"},
    {"state"},
    {"collect"},
    {"alloc"},
    {"registry"},
    {"convert", "open", "swap"},
    {"module"},
    {"luaopen"},
]
FLOOR_OF = {name: number for number, names in enumerate(FLOORS) for name in names}

INCLUDE = re.compile(r'^#include [<"]([^>"]+)[>"]', re.MULTILINE)


def check_arrow(source: str, target: str, why: str) -> list[str]:
    if source == target or FLOOR_OF[source] > FLOOR_OF[target]:
        return []
    return [f"{source} is not above {target}, and {why}"]


def check_includes(folder: Path) -> list[str]:
    found = []
    for path in sorted(folder.glob("*.[ch]")):
        if path.stem not in FLOOR_OF:
            found.append(f"{path.name} is on no floor")
            continue
        names = INCLUDE.findall(path.read_text(encoding="utf-8"))
        if path.suffix == ".c" and names[:1] != [f"{path.stem}.h"]:
            found.append(f"{path.name} does not include its own header first")
        for name in names:
            if (folder / name).is_file():
                found += check_arrow(path.stem, Path(name).stem, f"includes {name}")
    return found


def check_calls(symbols: Iterable[tuple[str, str, str]]) -> list[str]:
    """`symbols` are (file, name, letter of nm). What no file here defines is the core's or Lua's."""
    rows = list(symbols)
    defined_in = {name: file for file, name, letter in rows if letter != "U"}
    found = []
    for file, name, letter in rows:
        if letter == "U" and name in defined_in:
            found += check_arrow(file, defined_in[name], f"uses {name}")
    return found


def symbols_of(archive: Path) -> list[tuple[str, str, str]]:
    result = run(["nm", "--extern-only", "--print-file-name", "--format=posix", archive])
    assert result.returncode == 0, result.stderr
    return re.findall(r"\[(\w+)\.c\.o\]: (\w+) (\w)", result.stdout)


def test_sources_include_downwards(repository: Path) -> None:
    folder = repository / "bindings" / "lua" / "src"
    assert {path.stem for path in folder.glob("*.c")} == set(FLOOR_OF)
    assert check_includes(folder) == []


def test_objects_call_downwards(abi: Abi, lua_build: Build) -> None:
    symbols = symbols_of(lua_build.tree / "bindings" / "lua" / f"libhakmem_{abi.name}.a")
    assert ("alloc", "hak_lua_alloc", "T") in symbols
    assert ("module", "hak_lua_swap_enable", "U") in symbols
    assert check_calls(symbols) == []


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("swap.c", '#include "swap.h"\n\n#include <string.h>\n\n#include "alloc.h"\n', None),
        ("swap.c", '#include "alloc.h"\n#include "swap.h"\n', "swap.c does not include its own header first"),
        ("swap.c", "int x;\n", "swap.c does not include its own header first"),
        ("swap.c", '#include "swap.h"\n#include "open.h"\n', "swap is not above open, and includes open.h"),
        ("state.h", '#include "alloc.h"\n', "state is not above alloc, and includes alloc.h"),
        ("other.h", "int x;\n", "other.h is on no floor"),
    ],
)
def test_planted_include_is_found(tmp_path: Path, name: str, text: str, expected: str | None) -> None:
    for header in ("alloc.h", "open.h", "state.h", "swap.h"):
        (tmp_path / header).write_text("")
    (tmp_path / name).write_text(text)
    assert check_includes(tmp_path) == ([] if expected is None else [expected])


def test_planted_call_is_found() -> None:
    symbols = [("state", "hak_lua_low", "T"), ("swap", "hak_lua_low", "U"), ("swap", "lua_newuserdata", "U")]
    assert check_calls(symbols) == []
    symbols += [("swap", "hak_lua_high", "T"), ("state", "hak_lua_high", "U")]
    assert check_calls(symbols) == ["state is not above swap, and uses hak_lua_high"]
