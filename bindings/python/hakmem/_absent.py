"""Stands in for the extension module on Pythons that are not CPython: says why, does nothing.

There are no options to list, and no functions that launch a program: `hakmem run` hands it to the interpreter.
"""

import sys

from hakmem.errors import UnsupportedError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hakmem._types import OptionInfo, Stats

version = "0"


def obstacle() -> str:
    return f"{sys.implementation.name} manages its objects without CPython's allocators; hakmem needs CPython"


enable = obstacle


def allocator_name() -> None:
    return None


def disable() -> None:
    pass


def is_enabled() -> bool:
    return False


def trim() -> int:
    return 0


def stats() -> "Stats":
    raise UnsupportedError(obstacle())


def options() -> "list[OptionInfo]":
    return []


def option_get(name: str) -> "int | str":
    raise UnsupportedError(obstacle())


def option_set(name: str, value: "int | str") -> None:
    raise UnsupportedError(obstacle())
