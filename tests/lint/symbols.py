"""What the C libraries define for the linker, read with nm."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

DECLARED = re.compile(r"^HAK_EXPORT\b[^;]*?\b(hak_\w+)\s*\(", re.MULTILINE)
RENAMED = re.compile(r"^#pragma redefine_extname (\w+) (\w+)$", re.MULTILINE)
# Compilers add symbols of their own under names that the C standard keeps for them.
RESERVED = re.compile(r"_[_A-Z]\w*")


def global_symbols(library: Path, *, dynamic: bool = False) -> set[str]:
    command = ["nm", "--extern-only", "--defined-only", "--format=posix", str(library)]
    if dynamic:
        command.insert(1, "--dynamic")
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    lines = (line.split() for line in output.splitlines())
    # Archive members are announced by lines of their own: "libhakmem.a[heap.c.o]:".
    names = {words[0].split("@")[0] for words in lines if len(words) >= 2}
    return {name for name in names if not RESERVED.fullmatch(name)}


def foreign_symbols(library: Path) -> set[str]:
    """Global symbols of a static library that could meet a host's own."""
    return {name for name in global_symbols(library) if not name.startswith("hak_")}


def declared_functions(header: Path) -> set[str]:
    return set(DECLARED.findall(header.read_text(encoding="utf-8")))


def renamed_symbols(header: Path) -> dict[str, str]:
    """Name in the source to name in the object code."""
    return dict(RENAMED.findall(header.read_text(encoding="utf-8")))
