"""The glossary stands in docs/design.md, with links; the one at the top of core/src/base/base.h is made from it.

    python tests/lint/glossary.py [--write]

reports where they differ, or writes the header's anew. A row of the first table in the page's section "Words" is a
word, its meaning, and the files that decide it.
"""

from __future__ import annotations

import re
import sys
import textwrap
from pathlib import Path, PurePosixPath
from typing import NamedTuple

import made_part

PAGE = "docs/design.md"
HEADER = "core/src/base/base.h"
COMMAND = "python tests/lint/glossary.py --write"

COLUMNS_MAX = 118
WORD_COLUMNS = 14
FIRST_LINE = f" * Glossary, one meaning each; made from {PAGE} by: {COMMAND}"
LAST_LINE = " */"
SECTION = re.compile(r"^## Words\n(.*?)(?=^## |\Z)", re.MULTILINE | re.DOTALL)
ROW = re.compile(r"^\| \*\*(?P<word>[^*|]+)\*\* \| (?P<meaning>[^|]+) \| (?P<files>[^|]+) \|$")
LINK = re.compile(r"\[([^\]]+)\]\(([^)]+)\)")


class Entry(NamedTuple):
    word: str
    meaning: str
    files: list[tuple[str, str]]  # as it is shown, and the link


def entries_of_page(page: str) -> list[Entry]:
    """The rows of the first table of the section."""
    section = SECTION.search(page)
    if section is None:
        return []
    lines = section[1].split("\n")
    start = next((number for number, line in enumerate(lines) if line.startswith("|---")), len(lines))
    found = []
    for line in lines[start + 1 :]:
        row = ROW.match(line)
        if row is None:
            break
        found.append(Entry(row["word"], row["meaning"], LINK.findall(row["files"])))
    return found


def in_header(entries: list[Entry]) -> str:
    """The part of the header's first comment that is made."""
    lines = [FIRST_LINE, " *"]
    for entry in entries:
        files = ", ".join(shown for shown, _ in entry.files)
        text = f"{entry.meaning.replace('`', '')} ({files})"
        first = f" *   {entry.word.ljust(WORD_COLUMNS)}"
        rest = f" *   {' ' * WORD_COLUMNS}"
        lines += textwrap.wrap(
            text,
            COLUMNS_MAX,
            initial_indent=first,
            subsequent_indent=rest,
            break_long_words=False,
            break_on_hyphens=False,
        )
    return "\n".join([*lines, LAST_LINE])


def split_header(header: str) -> tuple[str, str, str] | None:
    """Before, the glossary, behind; None: the first comment has none."""
    comment_end = header.find(LAST_LINE)
    start = header.find(" * Glossary")
    if start < 0 or comment_end < start:
        return None
    end = comment_end + len(LAST_LINE)
    return header[:start], header[start:end], header[end:]


def violations(page: str, header: str, root: Path) -> list[str]:
    entries = entries_of_page(page)
    words = [entry.word for entry in entries]
    if not entries:
        return [f'{PAGE}: the section "Words" has no table of words']
    found = [f"{PAGE}: {word} stands there twice" for word in sorted(set(words)) if words.count(word) > 1]
    for entry in entries:
        if not entry.files:
            found.append(f"{PAGE}: {entry.word} has no link to the file that decides it")
        for shown, link in entry.files:
            target = (root / PAGE).parent / link
            if not target.is_file():
                found.append(f"{PAGE}: {entry.word}: there is no file {link}")
            elif not PurePosixPath(link).match(shown):
                found.append(f"{PAGE}: {entry.word}: {shown} leads to {link}")
        if len(entry.word) >= WORD_COLUMNS:
            found.append(f"{PAGE}: {entry.word} is too long for the column of words")
    parts = split_header(header)
    if parts is None:
        found.append(f"{HEADER}: the first comment has no glossary")
    elif parts[1] != in_header(entries):
        found.append(f"{HEADER}: not what {PAGE} says; run: {COMMAND}")
    return found


def write(root: Path) -> None:
    path = root / HEADER
    parts = split_header(path.read_text(encoding="utf-8"))
    entries = entries_of_page((root / PAGE).read_text(encoding="utf-8"))
    if parts is None or not entries:
        sys.exit(f"error: {HEADER} has no glossary, or {PAGE} no words")
    path.write_text(parts[0] + in_header(entries) + parts[2], encoding="utf-8")


def check(root: Path) -> list[str]:
    return violations((root / PAGE).read_text(encoding="utf-8"), (root / HEADER).read_text(encoding="utf-8"), root)


if __name__ == "__main__":
    made_part.run(__doc__, check, write)
