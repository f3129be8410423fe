"""What the Lua tests share: which Luas there are, the binding built for them, an interpreter that finds the module, and
hosts in C that are built against the installed binding."""

from __future__ import annotations

import functools
import os
import shlex
import subprocess
from dataclasses import dataclass
from pathlib import Path

SECONDS_MAX = 120
HOST_SOURCES = Path(__file__).resolve().parent / "host"


@dataclass(frozen=True)
class Abi:
    """One Lua as the build names it."""

    name: str
    interpreter: str
    packages: str  # Debian's
    pkg_config: str

    @property
    def has_integers(self) -> bool:
        return self.name in ("lua53", "lua54", "lua55")

    @property
    def collects_when_refused(self) -> bool:
        return self.name not in ("lua51", "luajit")


ABIS = [
    Abi("lua51", "lua5.1", "lua5.1 liblua5.1-0-dev", "lua5.1"),
    Abi("lua52", "lua5.2", "lua5.2 liblua5.2-dev", "lua5.2"),
    Abi("lua53", "lua5.3", "lua5.3 liblua5.3-dev", "lua5.3"),
    Abi("lua54", "lua5.4", "lua5.4 liblua5.4-dev", "lua5.4"),
    Abi("lua55", "lua5.5", "lua5.5 liblua5.5-dev", "lua5.5"),
    Abi("luajit", "luajit", "luajit libluajit-5.1-dev", "luajit"),
]


def run(command: list[str | Path], **options: object) -> subprocess.CompletedProcess[str]:
    """Run a command to its end; a hang fails the test."""
    return subprocess.run(
        [str(word) for word in command], capture_output=True, text=True, timeout=SECONDS_MAX, **options
    )


def output_of(result: subprocess.CompletedProcess[str]) -> str:
    """What it printed; fails unless it ended well and said nothing on stderr."""
    assert result.returncode == 0, f"exit code {result.returncode}\n{result.stdout}{result.stderr}"
    assert result.stderr == ""
    return result.stdout


@dataclass(frozen=True)
class Build:
    """A build tree of the binding, and the tree that was installed from it."""

    tree: Path
    prefix: Path

    def has(self, abi: Abi) -> bool:
        return self.module(abi).exists()

    def module(self, abi: Abi) -> Path:
        return self.tree / "bindings" / "lua" / abi.name / "hakmem.so"


@functools.cache
def binding_built(repository: Path) -> Build | None:
    """The binding, built with the core's internal assertions for each Lua that is here. None: there is no Lua."""
    build = Build(repository / "build" / "lua-test" / "tree", repository / "build" / "lua-test" / "prefix")
    options = ["-DHAKMEM_BUILD_LUA=ON", "-DHAKMEM_WERROR=ON", "-DHAKMEM_DEBUG_CHECKS=ON", "--log-level=WARNING"]
    configured = run(["cmake", "-S", repository, "-B", build.tree, *options])
    if "no headers of any of" in configured.stderr:
        return None
    assert configured.returncode == 0, configured.stdout + configured.stderr
    for command in (
        ["cmake", "--build", build.tree, "--parallel", "2"],
        ["cmake", "--install", build.tree, "--prefix", build.prefix],
    ):
        result = run(command)
        assert result.returncode == 0, result.stdout + result.stderr
    return build


class Interpreter:
    """A stock interpreter that finds the module."""

    def __init__(self, abi: Abi, module: Path) -> None:
        self.abi = abi
        self.module = module

    def run(self, script: str, *flags: str, **environment: str) -> subprocess.CompletedProcess[str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("HAKMEM", "LUA"))}
        kept |= {"LUA_CPATH": f"{self.module.parent}/?.so;;", **environment}
        return run([self.abi.interpreter, *flags, "-"], input=script, env=kept)

    def output(self, script: str, *flags: str, **environment: str) -> str:
        """Of a script that begins with the module in the local `hakmem`; sizes are checked at every free."""
        script = 'local hakmem = require "hakmem"\n' + script
        return output_of(self.run(script, *flags, **{"HAKMEM_DEBUG": "1", **environment}))


class Host:
    """Builds programs of tests/lua/host for one Lua."""

    def __init__(self, abi: Abi, build: Build, folder: Path) -> None:
        self.abi, self.build, self.folder = abi, build, folder
        (file,) = build.prefix.rglob(f"hakmem-{abi.name}.pc")
        paths = [str(file.parent), os.environ.get("PKG_CONFIG_PATH", "")]
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("HAKMEM")},
            "PKG_CONFIG_PATH": ":".join(paths),
            "LD_LIBRARY_PATH": str(file.parent.parent),
        }

    def flags(self) -> list[str]:
        result = run(["pkg-config", "--cflags", "--libs", f"hakmem-{self.abi.name}"], env=self.environment)
        assert result.returncode == 0, result.stderr
        return shlex.split(result.stdout)

    def program(self, name: str) -> Path:
        program = self.folder / f"{name}-{self.abi.name}"
        if not program.exists():
            options = ["-std=gnu11", "-O1", "-g", "-Wall", "-Wextra", "-Werror", "-pthread"]
            flags = self.flags()
            output_of(run(["cc", *options, HOST_SOURCES / f"{name}.c", "-o", program, *flags, "-lm", "-ldl"]))
        return program

    def run(self, name: str, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return run([self.program(name), *arguments], env={**self.environment, **environment})
