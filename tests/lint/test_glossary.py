"""docs/design.md and core/src/base/base.h have one glossary; planted differences are found."""

from __future__ import annotations

from pathlib import Path

import glossary
import pytest


def test_page_and_header_have_one_glossary(repository: Path) -> None:
    violations = glossary.check(repository)
    assert not violations, "\n".join(violations)


def test_every_word_of_the_page_is_read(repository: Path) -> None:
    """A table that ends early, at a row of another form, would agree with a header that ends there, too."""
    page = (repository / glossary.PAGE).read_text(encoding="utf-8")
    section = glossary.SECTION.search(page)
    assert section is not None
    words = [entry.word for entry in glossary.entries_of_page(page)]
    assert len(words) == section[1].count("| **") > 30


PAGE = """# Design

## Words

A sentence.

| word | meaning | decided in |
|---|---|---|
| **block** | what a caller gets | [heap/heap.h](../core/src/heap/heap.h) |
| **OS page** | `os_page_bytes`, at run time | [os.h](../core/src/platform/os.h), [heap.h](../core/src/heap/heap.h) |

| elsewhere | here |
|---|---|
| **chunk** | slab |

## Layers

| **layer** | sentence | [heap/heap.h](../core/src/heap/heap.h) |
"""


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A page, and a header that was made from it."""
    texts = {
        "core/src/heap/heap.h": "",
        "core/src/platform/os.h": "",
        glossary.PAGE: PAGE,
        glossary.HEADER: "/*\n * base/base.h - sizes.\n *\n * Glossary\n */\n#define X 1 /* Glossary */\n",
    }
    for name, text in texts.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    glossary.write(tmp_path)
    return tmp_path


def replace(tree: Path, name: str, old: str, new: str) -> None:
    text = (tree / name).read_text()
    assert text.count(old) >= 1
    (tree / name).write_text(text.replace(old, new, 1))


def test_header_is_made_from_the_page(tree: Path) -> None:
    assert glossary.check(tree) == []
    header = (tree / glossary.HEADER).read_text()
    assert header.startswith(f"/*\n * base/base.h - sizes.\n *\n{glossary.FIRST_LINE}\n *\n")
    assert header.endswith(" */\n#define X 1 /* Glossary */\n")
    assert " *   block         what a caller gets (heap/heap.h)\n" in header
    assert " *   OS page       os_page_bytes, at run time (os.h, heap.h)\n" in header
    assert "chunk" not in header
    glossary.write(tree)
    assert (tree / glossary.HEADER).read_text() == header


def test_long_meaning_is_broken(tree: Path) -> None:
    replace(tree, glossary.PAGE, "what a caller gets", "word " * 40 + "end")
    glossary.write(tree)
    lines = (tree / glossary.HEADER).read_text().split("\n")
    assert max(map(len, lines)) <= glossary.COLUMNS_MAX
    assert f" *   {' ' * glossary.WORD_COLUMNS}word word" in "\n".join(lines)
    assert glossary.check(tree) == []


@pytest.mark.parametrize(
    ("name", "old", "new", "expected"),
    [
        (glossary.HEADER, "what a caller gets", "what a caller got", "not what docs/design.md says; run: "),
        (glossary.HEADER, "(os.h, heap.h)", "(os.h)", "not what docs/design.md says; run: "),
        (glossary.HEADER, " *   block", " *   blocks", "not what docs/design.md says; run: "),
        (glossary.HEADER, " * Glossary", " * Words", "the first comment has no glossary"),
        (glossary.PAGE, "what a caller gets", "what a caller got", "not what docs/design.md says; run: "),
        (glossary.PAGE, "**OS page**", "**block**", "block stands there twice"),
        (glossary.PAGE, "| [heap/heap.h](../core/src/heap/heap.h) |", "| heap.h |", "block has no link"),
        (glossary.PAGE, "(../core/src/platform/os.h)", "(../core/src/os.h)", "there is no file ../core/src/os.h"),
        (glossary.PAGE, "[os.h]", "[slab/os.h]", "slab/os.h leads to ../core/src/platform/os.h"),
        (glossary.PAGE, "**block**", "**" + "b" * glossary.WORD_COLUMNS + "**", "too long"),
        (glossary.PAGE, "## Words", "## Other", "has no table of words"),
        (glossary.PAGE, "| **block**", "| block", "has no table of words"),
    ],
)
def test_planted_fault_is_found(tree: Path, name: str, old: str, new: str, expected: str) -> None:
    replace(tree, name, old, new)
    assert any(expected in violation for violation in glossary.check(tree)), glossary.check(tree)
