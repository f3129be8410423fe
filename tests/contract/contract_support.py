"""The bindings as the shared scenarios run them: an adapter each, which starts a scenario in a process of its own.

A further binding is a class here, with a C file beside it that fills in the Runtime of runtime.h.
"""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from pathlib import Path

from lua_support import ABIS

FOLDER = Path(__file__).resolve().parent
REPOSITORY = FOLDER.parents[1]
SCENARIO_SOURCES = ["scenarios.c", "many.c", "blocks.c", "core_table.c"]
WARNINGS = ["-std=gnu11", "-O1", "-g", "-Wall", "-Wextra", "-Werror", "-pthread"]
SECONDS_MAX = 240

# The bindings by the names of the tests.
DOMAINS = {
    "python": {"CONTRACT_DOMAIN": "mem"},
    "python-obj": {"CONTRACT_DOMAIN": "obj"},
    "python-raw": {"CONTRACT_DOMAIN": "raw", "HAKMEM_DOMAINS": "raw,mem,obj"},
}
LUAS = {abi.name: abi for abi in ABIS}
NAMES = {"python": list(DOMAINS), "lua": list(LUAS), "libc": ["libc"]}


def names_of(*folders: str) -> list[str]:
    """Those of these folders of bindings/; without an argument all."""
    return [name for folder in folders or NAMES for name in NAMES[folder]]


Result = subprocess.CompletedProcess[str]


def compile_c(output: Path, *words: str | Path) -> Path:
    if not output.exists():
        command = ["cc", *WARNINGS, f"-I{REPOSITORY}/core/include", "-o", str(output), *map(str, words), "-ldl"]
        result = subprocess.run(command, capture_output=True, text=True)
        assert result.returncode == 0, result.stderr
    return output


def compile_scenarios(output: Path, adapter: str, *options: str) -> Path:
    return compile_c(output, *(FOLDER / name for name in [adapter, *SCENARIO_SOURCES]), *options)


@dataclass
class Binding(ABC):
    """One binding, built once in a folder of its own."""

    folder: Path
    variables: dict[str, str] = field(default_factory=dict)

    @abstractmethod
    def command(self, scenario: str) -> list[str]: ...

    @abstractmethod
    def environment(self) -> dict[str, str]:
        """What the process needs to find the binding."""

    def run(self, scenario: str, *preloaded: Path, beneath: Path | None = None, **variables: str) -> Result:
        """`preloaded`: libraries that the process loads before the binding's own; `beneath`: one behind it."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("HAKMEM", "LUA", "LD_PRE"))}
        environment = {**kept, **self.environment(), **self.variables, **variables}
        files = [*map(str, preloaded), environment.get("LD_PRELOAD", ""), str(beneath or "")]
        environment["LD_PRELOAD"] = ":".join(filter(None, files))
        command = self.command(scenario)
        return subprocess.run(command, capture_output=True, text=True, timeout=SECONDS_MAX, env=environment)

    def run_unsafe(self, other_malloc: Path) -> Result:
        """The scenario of a process in which the binding must refuse."""
        return self.run("unsafe_state")


PYTHON_SCRIPT = """
import ctypes, sys
import hakmem
def enable():
    try:
        return hakmem.enable()
    except hakmem.UnsupportedError as error:
        print(error, file=sys.stderr)
        return False
words = (ctypes.c_char_p * 3)(b"contract", sys.argv[1].encode(), None)
ctypes.PyDLL(sys.argv[2]).contract(2, words)
"""


class Python(Binding):
    """The installed package, in the interpreter that runs the tests."""

    def command(self, scenario: str) -> list[str]:
        include = f"-I{sysconfig.get_path('include')}"
        library = compile_scenarios(self.folder / "python.so", "python.c", "-shared", "-fPIC", include)
        return [sys.executable, "-c", PYTHON_SCRIPT, scenario, str(library)]

    def environment(self) -> dict[str, str]:
        return {"PYTHONDONTWRITEBYTECODE": "1"}


@dataclass
class Lua(Binding):
    """The module, in a host that knows nothing of it."""

    name: str = ""  # of pkg-config
    module: Path = Path()

    def command(self, scenario: str) -> list[str]:
        found = subprocess.run(["pkg-config", "--cflags", "--libs", self.name], capture_output=True, text=True)
        assert found.returncode == 0, found.stderr
        return [str(compile_scenarios(self.folder / "lua", "lua.c", *found.stdout.split(), "-lm")), scenario]

    def environment(self) -> dict[str, str]:
        return {"LUA_CPATH": f"{self.module.parent}/?.so;;"}


@dataclass
class Libc(Binding):
    """The preloaded library, in a program that knows nothing of it."""

    library: Path = Path()

    def command(self, scenario: str) -> list[str]:
        return [str(compile_scenarios(self.folder / "libc", "libc.c")), scenario]

    def environment(self) -> dict[str, str]:
        return {"LD_PRELOAD": str(self.library)}

    def run_unsafe(self, other_malloc: Path) -> Result:
        return self.run("unsafe_state", other_malloc)
