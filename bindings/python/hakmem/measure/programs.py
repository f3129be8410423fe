"""What `hakmem compare` runs: finds out from the words of the command line whether that is Python or Lua, and where."""

import os
import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass

from hakmem.measure.allocators import Allocator
from hakmem.measure.measure_error import MeasureError


@dataclass(frozen=True)
class Program:
    """An interpreter and the words behind it."""

    language: str  # python, lua
    interpreter: str
    words: Sequence[str]

    def command(self, allocator: Allocator) -> list[str]:
        """Return the command that starts it under an allocator."""
        return [self.interpreter, *allocator.launcher, *self.words]


def program_of(words: Sequence[str], lua: str | None = None) -> Program:
    """Return the program of these words: `-m module ...`, `-c code ...`, `script.py ...` or `script.lua ...`."""
    first = words[0]
    if first[:2] in ("-m", "-c"):
        return Program("python", sys.executable, words)
    if os.path.isdir(first) and not os.path.exists(os.path.join(first, "__main__.py")):
        raise MeasureError(f"{first} is a directory without __main__.py; give a script")
    if not os.path.exists(first):
        raise MeasureError(f"there is no file {first}{_advice(first)}")
    if first.endswith(".lua") or "lua" in _first_line(first):
        interpreter = shutil.which(lua or "lua")
        if interpreter is None:
            raise MeasureError(f"{lua or 'lua'} is not on PATH; --lua names the interpreter")
        return Program("lua", interpreter, words)
    if _is_binary(first):
        raise MeasureError(f"{first} is neither a Python nor a Lua program; 'hakmem record -- {first}' records any")
    return Program("python", sys.executable, words)


def _advice(word: str) -> str:
    path = shutil.which(word)
    if path is None:
        return ""
    if "python" in _first_line(path):
        return f" here; for the command give {path}"
    return f" here; {path} is no Python script, 'hakmem record -- {word}' records any program"


def _first_line(path: str) -> str:
    try:
        with open(path, "rb") as file:
            line = file.readline(200)
    except OSError:
        return ""
    return line.decode(errors="replace") if line.startswith(b"#!") else ""


def _is_binary(path: str) -> bool:
    try:
        with open(path, "rb") as file:
            head = file.read(200)
    except OSError:
        return False
    return head.startswith(b"\x7fELF")
