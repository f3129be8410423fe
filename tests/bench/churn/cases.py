"""The programs of `make bench-churn` by group, and how each is started under a peer."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from pathlib import Path

from bench.churn.changing import CHANGING
from bench.churn.contenders import in_c, in_lua
from bench.churn.more_programs import MORE_PROGRAMS
from bench.churn.programs import PROGRAMS, SERVICES
from bench.lua import runner as lua
from bench.shared.child import Start
from bench.shared.peers import Peer, command_for, environment_for

PYTHON_PATH = Path(__file__).resolve().parents[2]
GUNICORN = "gunicorn worker"
BLOCKS = "blocks of 5 to 25 MiB"
REPLACEMENTS = 1000
LUA_ROUNDS = {"tables": 16, "closures": 24, "strings": 6, "mixed": 8}

# By the names of the tables' parts.
GROUPS: dict[str, list[str]] = {
    "judged": [*PROGRAMS],
    "services": [*SERVICES],
    "more programs": [*MORE_PROGRAMS, GUNICORN],
    "Lua": [f"lua {name}" for name in LUA_ROUNDS],
    "large blocks": [BLOCKS],
    "changing load": [*CHANGING],
}
BY_TURNS = PROGRAMS | SERVICES | MORE_PROGRAMS


@dataclass(frozen=True)
class Case:
    """`absent` says why it cannot be measured here."""

    name: str
    start: Callable[[Peer], Start]
    absent: str = ""


def all_cases(scale: float, native: Path, host: Path | None) -> dict[str, Case]:
    """In the order of the groups."""
    program = native / "replaced_blocks"
    no_program = "" if program.exists() else f"there is no {program} (make bench-native)"
    no_host = "" if host else "there is no Lua with headers (Debian: lua5.4 liblua5.4-dev)"
    no_gunicorn = "" if importlib.util.find_spec("gunicorn") else "gunicorn cannot be imported (PyPI)"
    found = [Case(name, partial(_python, name, scale)) for name in BY_TURNS]
    found.append(Case(GUNICORN, partial(_gunicorn, scale), no_gunicorn))
    found += [Case(f"lua {name}", partial(_lua, host or Path(), name, scale), no_host) for name in LUA_ROUNDS]
    found.append(Case(BLOCKS, partial(_blocks, program, scale), no_program))
    found += [Case(name, partial(_python, name, scale)) for name in CHANGING]
    return {case.name: case for case in found}


def libraries(names: Sequence[str]) -> dict[str, str]:
    return {GUNICORN: f"gunicorn {version('gunicorn')}"} if GUNICORN in names else {}


def _rounds(full: int, scale: float) -> str:
    return str(max(1, int(full * scale)))


def _python(name: str, scale: float, peer: Peer) -> Start:
    command = command_for(peer, ("-m", "bench.churn.child", name, str(scale)))
    return Start(command, environment_for(peer, PYTHON_PATH), peer.mapped_file)


def by_turns(name: str, scale: float, peer: Peer) -> Start:
    """Of a program in Python."""
    command = command_for(peer, ("-m", "bench.churn.child", name, str(scale), "by-turns"))
    return Start(command, environment_for(peer, PYTHON_PATH), peer.mapped_file)


def round_count(name: str, scale: float) -> int:
    return len(BY_TURNS[name](scale, Path()).numbers())


def _gunicorn(scale: float, peer: Peer) -> Start:
    """The client runs in the peer's environment, too; it is not measured."""
    client = [sys.executable, "-m", "bench.churn.web_client", str(scale)]
    return Start([*client, *command_for(peer, ())], environment_for(peer, PYTHON_PATH), peer.mapped_file)


def _lua(host: Path, name: str, scale: float, peer: Peer) -> Start:
    peer = in_lua(peer)
    script = [str(lua.SCRIPT), name, "1", "0", "still", _rounds(LUA_ROUNDS[name], scale)]
    return Start([str(host), *peer.launcher, *script], lua.environment_for(peer, host.parent), peer.mapped_file)


def _blocks(program: Path, scale: float, peer: Peer) -> Start:
    peer = in_c(peer)
    interpreter = [sys.executable, *peer.launcher] if peer.launcher else []
    command = [*interpreter, str(program), _rounds(REPLACEMENTS, scale)]
    return Start(command, environment_for(peer, PYTHON_PATH), peer.mapped_file)
