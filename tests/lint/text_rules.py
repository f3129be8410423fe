"""Rules for the text of every file that is kept: header comments, sizes, whitespace, versions."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

LINES_MAX = 400
COLUMNS_MAX = 120
NOT_KEPT = {".git", "build", "dist", "__pycache__", ".pytest_cache", ".ruff_cache", ".mypy_cache", ".hypothesis"}
BINARY_SUFFIXES = {".png"}
CODE_SUFFIXES = {".c", ".h", ".i", ".pml", ".py", ".pyi"}
# What cannot be broken: an address, a row of a table, and on pages a block of what a program printed or a shell reads.
URL = re.compile(r"\bhttps?://\S+")
TABLE_ROW = re.compile(r"\s*\|")
BLOCK = re.compile(r"^ *(```|~~~).*?^ *\1", re.MULTILINE | re.DOTALL)


def kept_files(root: Path) -> list[Path]:
    """What git keeps, or would keep at the next `git add`; without git, what lies outside of build folders."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    try:
        output = subprocess.run(command, cwd=root, check=True, capture_output=True, text=True).stdout
    except (OSError, subprocess.CalledProcessError):
        paths = (path for path in root.rglob("*") if NOT_KEPT.isdisjoint(path.relative_to(root).parts))
    else:
        paths = (root / name for name in output.split("\0") if name)
    return sorted(path for path in paths if path.is_file())


def is_stream(path: Path) -> bool:
    """The fuzzer's: binary, though some have no zero byte."""
    return path.parts[-3:-1] == ("fuzz", "corpus")


def text_of(path: Path) -> str | None:
    """None for a binary file."""
    content = path.read_bytes()
    return None if b"\0" in content or is_stream(path) else content.decode("utf-8")


def check_header_comment(path: Path, text: str) -> list[str]:
    """The first thing in a source file says what the file is for."""
    if not text.strip():
        return []
    if path.suffix in (".c", ".h", ".i", ".pml"):
        match = re.match(r"/\*(.*?)\*/", text, re.DOTALL)
        if not match:
            return [f"{path}:1: does not begin with a comment that says its job"]
        if "core/src" in path.as_posix():
            comment = match[1]
            name = path.as_posix().rpartition("core/src/")[2]
            return [
                f"{path}:1: the header comment does not have: {wanted}"
                for wanted in (f"{name} - ", f"Layer: {name.split('/')[0]}")
                if wanted not in comment
            ]
    elif path.suffix in (".py", ".pyi"):
        if not re.match(r'(#![^\n]*\n)?(r?"""|# )', text):
            return [f"{path}:1: does not begin with a docstring or comment that says its job"]
    elif (path.name == "CMakeLists.txt" or path.suffix == ".cmake") and not text.startswith("# "):
        return [f"{path}:1: does not begin with a comment that says its job"]
    return []


def check_size(path: Path, text: str) -> list[str]:
    lines = text.count("\n")
    if path.suffix in CODE_SUFFIXES and lines > LINES_MAX:
        return [f"{path}: {lines} lines; the limit is {LINES_MAX}"]
    return []


def check_columns(path: Path, text: str) -> list[str]:
    if path.suffix not in CODE_SUFFIXES | {".md"}:
        return []
    if path.suffix == ".md":
        text = BLOCK.sub(lambda block: "\n" * block[0].count("\n"), text)
    return [
        f"{path}:{number}: {len(line)} columns; the limit is {COLUMNS_MAX}"
        for number, line in enumerate(text.split("\n"), 1)
        if len(URL.sub("", line)) > COLUMNS_MAX and not (path.suffix == ".md" and TABLE_ROW.match(line))
    ]


def check_whitespace(path: Path, text: str) -> list[str]:
    found = [
        f"{path}:{number}: trailing whitespace"
        for number, line in enumerate(text.split("\n"), 1)
        if line != line.rstrip()
    ]
    if text and not text.endswith("\n"):
        found.append(f"{path}: no newline at the end")
    if text.endswith("\n\n"):
        found.append(f"{path}: empty lines at the end")
    return found


def check(path: Path) -> list[str]:
    text = text_of(path)
    if text is None:
        is_known = path.suffix in BINARY_SUFFIXES or is_stream(path)
        return [] if is_known else [f"{path}: a binary file that no rule knows; is it the output of a program?"]
    return [
        *check_header_comment(path, text),
        *check_size(path, text),
        *check_columns(path, text),
        *check_whitespace(path, text),
    ]


def header_versions(header: Path) -> tuple[str, str]:
    """(HAK_VERSION_STRING, the same from its three parts)."""
    macros = dict(re.findall(r"^#define HAK_VERSION_(\w+) \"?([\d.]+)\"?$", header.read_text("utf-8"), re.MULTILINE))
    return macros["STRING"], f"{macros['MAJOR']}.{macros['MINOR']}.{macros['PATCH']}"


def changelog_versions(changelog: Path) -> list[str]:
    return re.findall(r"^## (\d+\.\d+\.\d+)\b", changelog.read_text("utf-8"), re.MULTILINE)
