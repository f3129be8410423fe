"""The functions of a core stand in one list, the struct hak_core_t of core/include/hakmem_core.h; the rows from which
core/src/control/table.c fills the table are made from it.

    python tests/lint/core_functions.py [--write]

reports where they differ, or writes the rows of core/src/control/functions.h anew. A member behind `start` is a
function of hakmem.h with hak_ in front of its name; one that hakmem.h does not declare is a function of the table
alone, and has its own name in the core.

A function of hakmem.h that the table lacks has a reason in NOT_IN_TABLE. HAK_CORE_VERSION changes with the members:
FINGERPRINT has the version and the members that it was given for.
"""

from __future__ import annotations

import re
import sys
import zlib
from pathlib import Path
from typing import NamedTuple

import layers
import made_part
import symbols

LIST = "core/include/hakmem_core.h"
DECLARATIONS = "core/include/hakmem.h"
ROWS = "core/src/control/functions.h"
COMMAND = "python tests/lint/core_functions.py --write"

# The version of the table, and a checksum of its members in their order, names of parameters left out.
FINGERPRINT = (3, "f0e8ed4b")

# Members that all versions have; control/table.c fills them by hand.
HEAD = ["version", "is_started", "library_version", "start"]

TAIL_CALLED = "called for its fast path, inlined; behind a table a binding asks owns or looks at the result"
ALIGNED_16 = "for the C library's malloc alone, whose library has a core of its own"
NOT_IN_TABLE = {
    "hak_version": "is the member library_version",
    "hak_free_or": TAIL_CALLED,
    "hak_heap_free_or": TAIL_CALLED,
    "hak_heap_malloc_or": TAIL_CALLED,
    "hak_malloc_align16": ALIGNED_16,
    "hak_calloc_align16": ALIGNED_16,
    "hak_realloc_align16": ALIGNED_16,
}

COLUMNS = 80
FIRST_LINE = f"/* Made from {LIST} by: {COMMAND} */"
STRUCT = re.compile(r"typedef struct hak_core \{\n(.*?)\n\} hak_core_t;", re.DOTALL)
VERSION = re.compile(r"^#define HAK_CORE_VERSION (\d+)u$", re.MULTILINE)
FUNCTION = re.compile(r"(?P<result>[\w *]+?)\s*\(\*(?P<name>\w+)\)\((?P<parameters>[^()]*)\)")
PART = re.compile(rf"^{re.escape(FIRST_LINE)}\n#define CORE_FUNCTIONS\(ROW\)(?:[^\n]*\\\n)*[^\n]*\n", re.MULTILINE)
NAME_OF_PARAMETER = re.compile(r"(?<=[ *])\w+$")


class Member(NamedTuple):
    name: str
    type: str  # of what it points to, or of the member


def members_of(header: str) -> list[Member]:
    """The members of the struct in their order."""
    struct = STRUCT.search(layers.without_comments(header))
    found = []
    for text in (struct[1] if struct else "").split(";")[:-1]:
        function = FUNCTION.fullmatch(text.strip())
        if function is None:
            name = text.split()[-1].lstrip("*")
            found.append(Member(name, text.strip().removesuffix(name).strip()))
            continue
        parameters = [NAME_OF_PARAMETER.sub("", part.strip()).strip() for part in function["parameters"].split(",")]
        found.append(Member(function["name"], f"{function['result']}({', '.join(parameters)})"))
    return found


def functions_of(header: str) -> list[Member]:
    return [member for member in members_of(header) if member.name not in HEAD]


def fingerprint(header: str) -> str:
    return f"{zlib.crc32(repr([tuple(member) for member in members_of(header)]).encode()):08x}"


def rows(header: str, declared: set[str]) -> str:
    """The macro, laid out as the others of the core."""
    lines = ["#define CORE_FUNCTIONS(ROW)"]
    for member in functions_of(header):
        public = f"hak_{member.name}"
        lines.append(f"    ROW({member.name}, {public if public in declared else member.name})")
    return "\n".join([FIRST_LINE, *(f"{line.ljust(COLUMNS)}\\" for line in lines[:-1]), lines[-1], ""])


def violations(header: str, declared: set[str], made: str) -> list[str]:
    names = [member.name for member in members_of(header)]
    if names[: len(HEAD)] != HEAD:
        return [f"{LIST}: hak_core_t does not begin with {', '.join(HEAD)}, as in every version"]
    found = []
    part = PART.search(made)
    if part is None or part[0] != rows(header, declared):
        found.append(f"{ROWS}: not what {LIST} says; run: {COMMAND}")
    in_table = {f"hak_{member.name}" for member in functions_of(header)}
    found += [
        f"{DECLARATIONS}: {name} is not in hak_core_t; add a member, or the reason in core_functions.py"
        for name in sorted(declared - in_table - set(NOT_IN_TABLE))
    ]
    found += [
        f"core_functions.py: {name} is in hak_core_t, or not in {DECLARATIONS}, and has a reason not to be"
        for name in sorted(NOT_IN_TABLE)
        if name in in_table or name not in declared
    ]
    version = VERSION.search(header)
    now = (int(version[1]) if version else 0, fingerprint(header))
    if now[1] != FINGERPRINT[1] and now[0] == FINGERPRINT[0]:
        found.append(f"{LIST}: the members of hak_core_t have changed; give HAK_CORE_VERSION the next number")
    elif now != FINGERPRINT:
        found.append(f"core_functions.py: FINGERPRINT is {FINGERPRINT}, and the table {now}; write it there")
    return found


def read(root: Path) -> tuple[str, set[str], str]:
    declared = symbols.declared_functions(root / DECLARATIONS)
    return (root / LIST).read_text("utf-8"), declared, (root / ROWS).read_text("utf-8")


def check(root: Path) -> list[str]:
    return violations(*read(root))


def write(root: Path) -> None:
    header, declared, made = read(root)
    if PART.search(made) is None:
        sys.exit(f"error: {ROWS} has no line {FIRST_LINE!r} with the macro behind it")
    (root / ROWS).write_text(PART.sub(lambda _: rows(header, declared), made), "utf-8")


if __name__ == "__main__":
    made_part.run(__doc__, check, write)
