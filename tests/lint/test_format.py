"""C is laid out as .clang-format says, by the version of clang-format that pyproject.toml pins: `make lint`."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest
import text_rules

FOLDERS = ("core", "bindings", "swig", "tests")


@pytest.fixture(scope="module")
def style(repository: Path) -> Path:
    """The file of settings, if clang-format is here in the version that it was chosen with."""
    style = repository / ".clang-format"
    if not style.is_file():
        pytest.skip("there is no .clang-format, as in an sdist")
    pinned = re.search(r'"clang-format==([\d.]+)"', (repository / "pyproject.toml").read_text(encoding="utf-8"))
    assert pinned is not None, "pyproject.toml pins no clang-format"
    if shutil.which("clang-format") is None:
        pytest.skip("clang-format is not on PATH; `make lint` puts it there")
    version = subprocess.run(["clang-format", "--version"], check=True, capture_output=True, text=True).stdout
    if f" {pinned[1]}" not in version:
        pytest.skip(f"clang-format {pinned[1]} is not on PATH; `make lint` puts it there. Found: {version.strip()}")
    return style


def badly_laid_out(style: Path, files: list[Path]) -> list[str]:
    """file:line:column: error: ..., one for each place."""
    command = ["clang-format", f"--style=file:{style}", "--dry-run", "-Werror", *map(str, files)]
    errors = subprocess.run(command, capture_output=True, text=True).stderr
    return [line for line in errors.splitlines() if re.search(r": (?:error|warning): ", line)]


def test_c_is_laid_out_as_the_file_says(repository: Path, style: Path) -> None:
    files = [
        path
        for path in text_rules.kept_files(repository)
        if path.suffix in (".c", ".h") and path.relative_to(repository).parts[0] in FOLDERS
    ]
    assert len(files) > 100
    found = [line.replace(f"{repository}/", "") for line in badly_laid_out(style, files)]
    assert not found, "\n".join([*found, "run: clang-format -i FILES"])


GOOD = """\
#include <stdint.h>

#define ROWS(ROW)                                  \\
    ROW(one,    1) /* a table keeps its columns */ \\
    ROW(twelve, 12)

HAK_INLINE int first(int x) { return x + 1; }

int second(const char *text, unsigned count) {
    if (count == 0) return 0;
    /* COMMENT */
    for (unsigned i = 0; i < count; i++) first((int)i);
    switch (count) {
    case 1: return 1;
    default: return (OsPageSet)~1u;
    }
}
""".replace("COMMENT", "broken by whoever writes it; " * 5)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("", ""),
        ("const char *text", "const char* text"),
        ("    for (", "  for ("),
        ("if (count == 0) return 0;", "if (count == 0)\n        return 0;"),
        ("{ return x + 1; }", "\n{ return x + 1; }"),
        ("count) {\n    if", "count)\n{\n    if"),
        ("    case 1:", "        case 1:"),
        ("i = 0;", "i=0;"),
        ("(OsPageSet)~1u", "(OsPageSet) ~1u"),
        ("text, unsigned count", "text" + "_which_is_long" * 8 + ", unsigned count"),
    ],
)
def test_planted_layout_is_found(tmp_path: Path, style: Path, old: str, new: str) -> None:
    source = tmp_path / "x.c"
    assert old in GOOD
    source.write_text(GOOD.replace(old, new, 1))
    assert (badly_laid_out(style, [source]) == []) == (old == new)
