"""The invariants in the headers, in hak_check and on docs/invariants.md have the same numbers."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

HEADERS = ("core/src/base/types.h", "core/src/heap/heap.h")
CHECK = "core/src/api/api_check.c"
PAGE = "docs/invariants.md"


def numbers_in_header(text: str) -> list[str]:
    """Of the comments at structs: a line of its own begins with the number."""
    return re.findall(r"^ \*   (I\d+)\s", text, re.MULTILINE)


def numbers_in_check(text: str) -> set[str]:
    return set(re.findall(r'"(I\d+)"', text))


def sections_of_page(text: str) -> dict[str, str]:
    parts = re.split(r"^### (I\d+)$", text, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def is_checked_by_hak_check(section: str) -> bool:
    match = re.search(r"^- Checked by: (.*?)(?=^- |^#|\Z)", section, re.MULTILINE | re.DOTALL)
    return match is not None and match[1].startswith("`hak_check`")


def disagreements(headers: list[str], check: str, page: str) -> list[str]:
    defined = [number for header in headers for number in numbers_in_header(header)]
    looked_at = numbers_in_check(check)
    sections = sections_of_page(page)
    found = [
        f"{number} is defined twice in the headers" for number in sorted(set(defined)) if defined.count(number) > 1
    ]
    found += [f"{number} is in the headers and not on the page" for number in sorted(set(defined) - set(sections))]
    found += [f"{number} is on the page and not in the headers" for number in sorted(set(sections) - set(defined))]
    found += [f"{number} is checked and not in the headers" for number in sorted(looked_at - set(defined))]
    for number, section in sections.items():
        if "- Checked by: " not in section:
            found.append(f"{number}: the page does not say where it is checked")
        elif is_checked_by_hak_check(section) != (number in looked_at):
            found.append(f"{number}: the page and api_check.c do not agree on whether hak_check looks at it")
    return found


def test_headers_check_and_page_agree(repository: Path) -> None:
    headers = [(repository / name).read_text(encoding="utf-8") for name in HEADERS]
    check = (repository / CHECK).read_text(encoding="utf-8")
    page = (repository / PAGE).read_text(encoding="utf-8")
    assert sum(len(numbers_in_header(header)) for header in headers) >= 14
    assert disagreements(headers, check, page) == []


HEADER = "/*\n *   I1  a = b\n *   I2  c = d,\n *       continued\n */\n"
SECTIONS = "### I1\n\na\n\n- Checked by: `hak_check`.\n\n### I2\n\nc\n\n- Checked by: a test. Not by `hak_check`.\n"


@pytest.mark.parametrize(
    ("header", "check", "page", "word"),
    [
        (HEADER, 'expect("I1")', SECTIONS, None),
        (HEADER + HEADER, 'expect("I1")', SECTIONS, "twice"),
        (HEADER, 'expect("I1")', SECTIONS.replace("### I2", "### I3"), "not on the page"),
        ("/*\n *   I1  a = b\n */\n", 'expect("I1")', SECTIONS, "not in the headers"),
        (HEADER, 'expect("I1") expect("I9")', SECTIONS, "checked and not in the headers"),
        (HEADER, 'expect("I1") expect("I2")', SECTIONS, "do not agree"),
        (HEADER, "", SECTIONS, "do not agree"),
        (HEADER, 'expect("I1")', SECTIONS.replace("- Checked by: `hak_check`.", ""), "does not say"),
    ],
)
def test_each_disagreement_is_found(header: str, check: str, page: str, word: str | None) -> None:
    found = disagreements([header], check, page)
    if word is None:
        assert found == []
    else:
        assert any(word in line for line in found)
