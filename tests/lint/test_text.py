"""Header comments, sizes, whitespace and versions; each rule is seen to find a planted violation."""

from __future__ import annotations

import importlib.metadata
from pathlib import Path

import hakmem
import pytest
import text_rules


def test_kept_files_follow_the_rules(repository: Path) -> None:
    found = [violation for path in text_rules.kept_files(repository) for violation in text_rules.check(path)]
    assert not found, "\n".join(found).replace(f"{repository}/", "")


def test_versions_agree(repository: Path) -> None:
    version, from_parts = text_rules.header_versions(repository / "core" / "include" / "hakmem.h")
    assert version == from_parts
    assert importlib.metadata.version("hakmem") == version
    assert hakmem.__version__ == version


def test_changelog_begins_with_this_version(repository: Path) -> None:
    version, _ = text_rules.header_versions(repository / "core" / "include" / "hakmem.h")
    assert text_rules.changelog_versions(repository / "CHANGELOG.md")[0] == version


def test_kept_files_are_found_with_and_without_git(repository: Path, tmp_path: Path) -> None:
    assert repository / "core" / "include" / "hakmem.h" in text_rules.kept_files(repository)
    kept, built = tmp_path / "a.py", tmp_path / "build" / "b.py"
    built.parent.mkdir()
    kept.touch()
    built.touch()
    assert text_rules.kept_files(tmp_path) == [kept]


GOOD_C = "/*\n * heap/x.c - a job.\n *\n * Layer: heap.\n */\nint x;\n"


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("core/src/heap/x.c", GOOD_C, None),
        ("core/src/heap/x.c", "int x;\n", "does not begin with a comment"),
        ("core/src/heap/x.c", GOOD_C.replace("x.c", "y.c"), "does not have: heap/x.c - "),
        ("core/src/heap/x.c", GOOD_C.replace("Layer: heap", "Layer: slab"), "does not have: Layer: heap"),
        ("core/src/heap/x.c", GOOD_C + "int y;\n" * 394, None),
        ("core/src/heap/x.c", GOOD_C + "int y;\n" * 395, "401 lines; the limit is 400"),
        ("x.pml", "int x;\n", "does not begin with a comment"),
        ("x.pml", f"/* A job. */\nint {'x' * 116};\n", "x.pml:2: 121 columns"),
        ("x.py", '"""A job."""\n', None),
        ("x.py", "#!/usr/bin/env python3\n# A job.\n", None),
        ("x.py", "import os\n", "does not begin with a docstring"),
        ("x.cmake", "set(x)\n", "does not begin with a comment"),
        ("core/src/heap/x.c", GOOD_C + f"int {'x' * 115};\n", None),
        ("core/src/heap/x.c", GOOD_C + f"int {'x' * 116};\n", "heap/x.c:7: 121 columns; the limit is 120"),
        ("core/src/heap/x.h", GOOD_C.replace("x.c", "x.h") + f"/* {'word ' * 24}*/\n", "x.h:7: 125 columns"),
        ("x.i", f"/* A job. */\n%feature {'x' * 120}\n", "x.i:2: 129 columns"),
        ("x.py", f'"""{"job " * 30}"""\n', "x.py:1: 126 columns"),
        ("x.py", f'"""A job: https://example.org/{"x" * 100}."""\n', None),
        ("x.py", f'"""{"job " * 30} https://example.org"""\n', "x.py:1: "),
        ("x.py", f'"""| {"job " * 30} |"""\n', "x.py:1: "),
        ("x.md", "█" * 120 + "\n", None),
        ("x.md", "word " * 24 + "word\n", "x.md:1: 124 columns"),
        ("x.md", f"| {'cell | ' * 20}\n".replace(" \n", "\n"), None),
        ("x.md", f"# x\n\n```\n{'figure ' * 20}x\n```\n", None),
        ("x.md", f"# x\n\n```\n```\n{'word ' * 24}word\n", "x.md:5: 124 columns"),
        ("x.cmake", f"# {'x' * 120}\n", None),
        ("x.md", "# x \n", "x.md:1: trailing whitespace"),
        ("x.md", "# x", "no newline at the end"),
        ("x.md", "# x\n\n", "empty lines at the end"),
        ("fuzz/corpus/x", "\0", None),
        ("x.png", "\0", None),
        ("x.profraw", "\0", "x.profraw: a binary file"),
    ],
)
def test_planted_violation_is_found(tmp_path: Path, name: str, text: str, expected: str | None) -> None:
    path = tmp_path / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    found = text_rules.check(path)
    assert found == [] if expected is None else any(expected in violation for violation in found), found


def test_planted_versions_are_read(tmp_path: Path) -> None:
    header = tmp_path / "hakmem.h"
    header.write_text(
        "#define HAK_VERSION_MAJOR 1\n#define HAK_VERSION_MINOR 2\n#define HAK_VERSION_PATCH 3\n"
        '#define HAK_VERSION_STRING "1.2.4"\n'
    )
    assert text_rules.header_versions(header) == ("1.2.4", "1.2.3")
    changelog = tmp_path / "CHANGELOG.md"
    changelog.write_text("# Changes\n\n## 1.2.4 (unreleased)\n\n## 1.2.3\n")
    assert text_rules.changelog_versions(changelog) == ["1.2.4", "1.2.3"]
