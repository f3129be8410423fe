"""Reads the list of faults, finds the place of each in its file, and plants it there."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

try:
    import tomllib
except ModuleNotFoundError:  # before Python 3.11; pytest and build bring it there
    import tomli as tomllib

FAULTS_FILE = Path(__file__).with_name("faults.toml")
KINDS = ("boundary", "check", "errno", "figure", "limit", "option", "order", "page", "race", "update")


@dataclass(frozen=True)
class Fault:
    """One change of one place; the members are those of faults.toml."""

    id: str
    file: str
    old: str
    new: str
    kind: str
    effect: str
    expected: str
    known_gap: str = ""

    @property
    def layer(self) -> str:
        """The folder of core/src in which the file lies."""
        return Path(self.file).parts[2]


def read_faults(path: Path = FAULTS_FILE) -> list[Fault]:
    rows = tomllib.loads(path.read_text("utf-8"))["fault"]
    return [Fault(**row) for row in rows]


def places(text: str, old: str) -> list[tuple[int, int]]:
    """Where `old` begins and ends in `text`. White space matches any other, so that a formatter may break lines."""
    pattern = r"\s+".join(re.escape(word) for word in old.split())
    return [match.span() for match in re.finditer(pattern, text)]


def planted(text: str, fault: Fault) -> str:
    """`text` with the fault. The new text keeps the number of lines, so that messages name the right ones."""
    found = places(text, fault.old)
    if len(found) != 1:
        raise ValueError(f"{fault.id}: its old text occurs {len(found)} times in {fault.file}; it must occur once")
    begin, end = found[0]
    return text[:begin] + fault.new + "\n" * text.count("\n", begin, end) + text[end:]
