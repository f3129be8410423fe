"""Reads the #include lines and the calls of the C sources and reports what breaks the rules of the house.

Layers of core/src, bottom up; each includes itself and what is below:
    base, learning, platform, superslab, slab, heap, cache, retention, lifecycle, alloc, api, control
learning is pure state: observations in, tunables out.
Only platform/linux/* includes OS headers, only option* reads the environment, only message* prints, nothing allocates
through the C library. Bindings, and tests other than tests/core/unit and tests/core/machine, see core/include and no
other header of the core.

    python layers.py [ROOT]        prints violations, one line each; exit code 1 if there are any
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

LAYERS = [
    *("base", "learning", "platform", "superslab", "slab"),
    *("heap", "cache", "retention", "lifecycle", "alloc", "api", "control"),
]

OS_FOLDERS = {"linux"}  # of platform/

# The C standard's headers that ask nothing of an operating system, and our own public ones.
PORTABLE_HEADERS = {
    *("assert.h", "ctype.h", "errno.h", "float.h", "inttypes.h", "limits.h", "math.h", "stdalign.h", "stdarg.h"),
    *("stdatomic.h", "stdbool.h", "stddef.h", "stdint.h", "stdlib.h", "stdnoreturn.h", "string.h"),
    *("hakmem.h", "hakmem_core.h", "hakmem_control.h"),
}

# (what, functions, files that may call them)
CALL_RULES = [
    ("prints", r"(?:v?[fsd]?n?printf|f?puts|f?putc|putchar|fwrite|perror)", r"message\w*\.c"),
    ("prints", r"os_write_error", r"(?:message|os_)\w*\.c"),
    ("writes to a descriptor", r"p?writev?", r"os_\w+\.c"),
    ("reads the environment", r"(?:secure_)?getenv", r"option\w*\.c"),
    (
        "allocates through the C library",
        r"(?:malloc|calloc|realloc|free|aligned_alloc|posix_memalign|strn?dup)",
        r"(?!)",
    ),
]

INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*([<"])([^>"\n]+)[>"]', re.MULTILINE)
COMMENT_OR_STRING = re.compile(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.DOTALL)


def without_comments(text: str) -> str:
    """The code alone, line numbers kept; strings stay, because an #include has one."""

    def blank(match: re.Match[str]) -> str:
        found = match.group()
        return "\n" * found.count("\n") + " " if found.startswith("/") else found

    return COMMENT_OR_STRING.sub(blank, text)


def without_strings(code: str) -> str:
    return COMMENT_OR_STRING.sub('""', code)


def sources(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.suffix in (".c", ".h", ".i") and path.is_file())


def includes(path: Path) -> list[tuple[str, str, int]]:
    """(bracket, name, line number) of each #include."""
    code = without_comments(path.read_text(encoding="utf-8"))
    return [(match[1], match[2], code.count("\n", 0, match.start(2)) + 1) for match in INCLUDE.finditer(code)]


def check_core_includes(core: Path) -> list[str]:
    found = []
    for path in sources(core):
        layer = path.relative_to(core).parts[0]
        if layer not in LAYERS:
            found.append(f"{path}: {layer} is not a layer; known: {', '.join(LAYERS)}")
            continue
        may_use_os = path.parent.name in OS_FOLDERS or path.name == "os_memory_tool.h"
        for bracket, name, line in includes(path):
            place = f"{path}:{line}"
            included_layer = name.split("/")[0]
            if bracket == "<":
                if name not in PORTABLE_HEADERS and not may_use_os:
                    found.append(f"{place}: <{name}> is an OS header; only platform/linux/* may include it")
            elif included_layer not in LAYERS or not (core / name).is_file():
                found.append(f'{place}: "{name}" is not of the form "layer/file.h"')
            elif LAYERS.index(included_layer) > LAYERS.index(layer):
                found.append(f'{place}: layer {layer} includes "{name}" of the higher layer {included_layer}')
        found += check_own_header_first(core, path)
    return found


def check_own_header_first(core: Path, path: Path) -> list[str]:
    own_header = path.with_suffix(".h")
    if path.suffix != ".c" or not own_header.is_file():
        return []
    name = own_header.relative_to(core).as_posix()
    first = next(iter(includes(path)), ("", "", 1))
    return [] if first[1] == name else [f'{path}:{first[2]}: includes its own header "{name}" not first']


def check_header_cycles(core: Path) -> list[str]:
    graph = {}
    for path in sources(core):
        if path.suffix == ".h":
            name = path.relative_to(core).as_posix()
            graph[name] = [included for bracket, included, _ in includes(path) if bracket == '"']
    found = []
    finished: set[str] = set()

    def visit(name: str, trail: list[str]) -> None:
        if name in trail:
            found.append(f"headers include each other: {' -> '.join([*trail[trail.index(name) :], name])}")
        elif name not in finished:
            for included in graph.get(name, []):
                visit(included, [*trail, name])
            finished.add(name)

    for name in graph:
        visit(name, [])
    return found


def check_core_calls(core: Path) -> list[str]:
    found = []
    for path in sources(core):
        code = without_strings(without_comments(path.read_text(encoding="utf-8")))
        for what, functions, allowed in CALL_RULES:
            if re.fullmatch(allowed, path.name):
                continue
            # Not a declaration (`void os_write_error(`) and not a member (`row->write(`).
            for match in re.finditer(rf"(?<![\w.>])(?<!\bvoid )({functions})\s*\(", code):
                line = code.count("\n", 0, match.start()) + 1
                found.append(f"{path}:{line}: {match[1]}() {what}; not allowed in this file")
    return found


def check_outsiders(root: Path) -> list[str]:
    """Bindings and black-box tests include what core/include has; nothing of core/src."""
    core = root / "core" / "src"
    outsiders = [*sources(root / "bindings"), *sources(root / "swig"), *sources(root / "tests")]
    insiders = {root / "tests" / "core" / folder for folder in ("unit", "machine")}
    found = []
    for path in outsiders:
        if insiders & set(path.parents):
            continue
        for _, name, line in includes(path):
            if "core/src" in name or (core / name).is_file() or (path.parent / name).resolve().is_relative_to(core):
                found.append(f"{path}:{line}: {name} belongs to the core; only core/include is for others")
    return found


def check(root: Path) -> list[str]:
    core = root / "core" / "src"
    found = [*check_core_includes(core), *check_header_cycles(core), *check_core_calls(core), *check_outsiders(root)]
    return [violation.replace(f"{root}/", "") for violation in found]


if __name__ == "__main__":
    violations = check(Path(sys.argv[1] if len(sys.argv) > 1 else Path(__file__).parents[2]).resolve())
    print("\n".join(violations) or "no violations")
    sys.exit(1 if violations else 0)
