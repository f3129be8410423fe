"""Outputs: not overwritten by accident, written whole or not at all. And names that tell files apart."""

import contextlib
import os
from collections.abc import Iterable, Sequence

from hakmem.measure.measure_error import MeasureError


def check_free(paths: Iterable[str], force: bool) -> None:
    """Raise MeasureError where something would be overwritten, unless that was asked for."""
    for path in paths:
        if os.path.lexists(path) and not force:
            raise MeasureError(f"{path} exists already; --force overwrites it")


def make_directory(path: str) -> None:
    """Make the directory for outputs and see that it can be written to, before anything is measured."""
    try:
        os.makedirs(path, exist_ok=True)
    except OSError as error:
        raise MeasureError(f"the directory {path} cannot be made: {error.strerror}") from None
    if not os.access(path, os.W_OK):
        raise MeasureError(f"the directory {path} may not be written to; give another one")


def distinct_names(paths: Sequence[str]) -> list[str]:
    """Return a name for each file: without its ending and its directories, as far as that tells it from the others."""
    wholes = [_absolute(path) for path in paths]
    bare = [os.path.splitext(path)[0] for path in wholes]
    if len(set(bare)) < len(set(wholes)):
        bare = wholes
    parts = [path.split(os.sep) for path in bare]
    return [_shortest_end(own, [other for other in parts if other != own]) for own in parts]


def _absolute(path: str) -> str:
    try:
        return os.path.abspath(path)
    except OSError:  # the working directory was removed
        return path


def _shortest_end(own: list[str], others: Sequence[list[str]]) -> str:
    count = 1
    while any(other[-count:] == own[-count:] for other in others):
        count += 1
    return os.sep.join(own[-count:])


def write_whole(path: str, content: bytes) -> None:
    """Write a file under another name first, so that half a file is never left under its own."""
    new_path = os.path.join(os.path.dirname(path), f"hakmem.{os.getpid()}.new")  # short: names have an end
    try:
        with open(new_path, "wb") as file:
            file.write(content)
        os.replace(new_path, path)
    except OSError as error:
        with contextlib.suppress(OSError):
            os.unlink(new_path)
        raise cannot_write(path, error) from None


def cannot_write(path: str, error: OSError) -> MeasureError:
    """Return the error about an output that could not be written."""
    return MeasureError(f"{path} cannot be written: {error.strerror}")
