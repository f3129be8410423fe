"""Reads docs/coverage.md, writes gaps in its form, and compares both: the page names each gap, and nothing else.

A block of the page that begins with ```uncovered lists gaps that are there in every run, one with ```by-chance those
that are there in some:

    alloc/free.c: free_first
        never true: heap == NULL
        never run: return NULL;
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from covered.measure import KINDS, Gap

BLOCK = re.compile(r"^```(uncovered|by-chance)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
PLACE = re.compile(r"([a-z_/]+\.[ch]): (\w+)")
ENTRY = re.compile(rf"    ({'|'.join(KINDS)}): (.*\S)")


@dataclass
class Page:
    """The gaps of each sort of block; the same text may stand in a function twice."""

    always: Counter[Gap] = field(default_factory=Counter)
    by_chance: Counter[Gap] = field(default_factory=Counter)


class PageError(ValueError):
    """A line that is no gap."""


def read_page(text: str) -> Page:
    page = Page()
    for block in BLOCK.finditer(text):
        gaps = page.always if block[1] == "uncovered" else page.by_chance
        place = None
        for line in filter(None, block[2].split("\n")):
            if match := PLACE.fullmatch(line):
                place = match
            elif (match := ENTRY.fullmatch(line)) and place:
                gaps[Gap(place[1], place[2], match[1], match[2])] += 1
            else:
                raise PageError(f"neither 'file: function' nor a gap of one of the kinds {', '.join(KINDS)}: {line!r}")
    return page


def written(gaps: Iterable[Gap]) -> str:
    """In the form of the page, in the given order."""
    lines: list[str] = []
    place = ""
    for gap in gaps:
        if place != (place := f"{gap.file}: {gap.function}"):
            lines.append(place)
        lines.append(f"    {gap.kind}: {gap.text}")
    return "\n".join(lines)


def differences(measured: Counter[Gap], unclear: Counter[Gap], page: Page) -> tuple[list[Gap], list[Gap]]:
    """The gaps that the page does not name, and those that it names and that are none any more. An unclear one is
    neither."""
    unnamed = measured - unclear - page.always - page.by_chance
    closed = page.always - measured - unclear
    return list(unnamed.elements()), list(closed.elements())


def function_text(source: str, name: str) -> str:
    """Its definitions, each from the first line to the end; the preprocessor may choose one. Empty: there is none. Laid
    out as .clang-format does."""
    found = []
    for begin in re.finditer(rf"^[A-Za-z][^;=\n]*\b{re.escape(name)}\([^;]*?\{{", source, re.MULTILINE):
        first_line = source[begin.start() :].split("\n", 1)[0]
        end = begin.start() + len(first_line) if first_line.endswith("}") else source.find("\n}", begin.end()) + 2
        found.append(source[begin.start() : end])
    return "\n".join(found)


def has_text(function: str, text: str) -> bool:
    """Whether it stands there, however the lines are broken."""
    return " ".join(text.split()) in " ".join(function.split())
