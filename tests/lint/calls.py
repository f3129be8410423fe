"""Reads from object files which source file refers to which, and reports references upwards and in a circle.

An #include says what a file may see; only the object code says what it uses. A file refers to another when its object
has an undefined symbol that the other's object defines: a function or a variable. Inline functions of a header count
for the file whose object contains them. Names are those of the object code; `renamed` brings back those of the source.
"""

from __future__ import annotations

import json
import re
import shlex
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import layers

# A file, to each file that it refers to, with the names.
Uses = dict[str, dict[str, set[str]]]

NAMES_SHOWN = 3
# SWIG's own way to include, beside #include.
SWIG_INCLUDE = re.compile(r'^[ \t]*%(?:include|import)[ \t]*[<"]([^>"\n]+)[>"]', re.MULTILINE)


def symbols_of(object_file: Path) -> tuple[set[str], set[str]]:
    """(defined, undefined); static names are nobody else's and left out."""
    command = ["nm", "--extern-only", "--format=posix", str(object_file)]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    rows = [line.split() for line in output.splitlines()]
    undefined = {row[0] for row in rows if row[1] in ("U", "w", "v")}
    return {row[0] for row in rows} - undefined, undefined


def uses(objects: Mapping[str, Path], renamed: Mapping[str, str] | None = None) -> Uses:
    """`objects`: the object file of each source file. `renamed`: name in the source to name in the object code."""
    source_names = {new: old for old, new in (renamed or {}).items()}
    symbols = {file: symbols_of(object_file) for file, object_file in objects.items()}
    definers: dict[str, list[str]] = {}
    for file, (defined, _) in symbols.items():
        for name in defined:
            definers.setdefault(name, []).append(file)
    found: Uses = {file: {} for file in objects}
    for file, (_, undefined) in symbols.items():
        for name in undefined:
            for definer in definers.get(name, []):
                found[file].setdefault(definer, set()).add(source_names.get(name, name))
    return found


def layer_of(file: str) -> str:
    return file.split("/")[0]


def upward(found: Uses, bottom_up: Sequence[str]) -> list[str]:
    """References to a higher layer. A file is named "layer/file.c"."""
    violations = []
    for file, used in found.items():
        layer = layer_of(file)
        if layer not in bottom_up:
            violations.append(f"{file}: {layer} is not a layer; known: {', '.join(bottom_up)}")
            continue
        for other, names in used.items():
            if layer_of(other) in bottom_up and bottom_up.index(layer_of(other)) > bottom_up.index(layer):
                violations.append(f"{file} uses {shown(names)} of {other}, which is of a higher layer")
    return sorted(violations)


def circles(found: Uses) -> list[str]:
    """The shortest circle through each file that is in one, each circle once."""
    violations = {}
    for file in sorted(found):
        way = shortest_way_back(found, file)
        if way:
            first = way.index(min(way))
            way = [*way[first:], *way[:first]]
            arrows = [f" -[{shown(found[a][b])}]-> {b}" for a, b in zip(way, [*way[1:], way[0]], strict=True)]
            violations[tuple(way)] = f"a circle: {way[0]}{''.join(arrows)}"
    return sorted(violations.values())


def circles_in_layers(found: Uses) -> list[str]:
    """Circles that stay in one layer; what leaves it and comes back goes upwards somewhere."""
    violations = []
    for layer in sorted({layer_of(file) for file in found}):
        inside = {file for file in found if layer_of(file) == layer}
        violations += circles({file: {b: found[file][b] for b in found[file] if b in inside} for file in inside})
    return violations


def shortest_way_back(found: Uses, start: str) -> list[str]:
    """The files on it, `start` first; empty where there is none."""
    ways = [[start]]
    seen: set[str] = set()
    for way in ways:  # grows meanwhile: breadth first
        for file in sorted(found[way[-1]]):
            if file == start:
                return way
            if file in found and file not in seen:
                seen.add(file)
                ways.append([*way, file])
    return []


def shown(names: Iterable[str]) -> str:
    ordered = sorted(names)
    return ", ".join(ordered[:NAMES_SHOWN]) + (", ..." if len(ordered) > NAMES_SHOWN else "")


def objects_of_core(build: Path, core: Path) -> dict[str, Path]:
    """The object of each source of core/src in a build tree of CMake, by "layer/file.c".

    Not the archive's members, which have no folder. A build tree keeps objects of sources that are gone.
    """
    folder = next(build.rglob("hakmem_objects.dir")) / "src"
    found = {path.relative_to(folder).with_suffix("").as_posix(): path for path in folder.rglob("*.c.o")}
    return {file: path for file, path in sorted(found.items()) if (core / file).is_file()}


def compile_binding(tree: Path, sources: Path, target: str, out: Path) -> dict[str, Path]:
    """Compiles the C files in `sources` as `target` of a configured build tree does; the objects, by file name.

    The tree has been configured with CMAKE_EXPORT_COMPILE_COMMANDS; nothing else is built.
    """
    objects = {}
    for row in json.loads((tree / "compile_commands.json").read_text(encoding="utf-8")):
        source = Path(row["file"])
        arguments = shlex.split(row["command"])
        place = arguments.index("-o") + 1
        if source.parent != sources or f"/{target}.dir/" not in f"/{arguments[place]}":
            continue
        arguments[place] = str(out / f"{source.name}.o")
        subprocess.run(arguments, check=True, cwd=row["directory"])
        objects[source.name] = Path(arguments[place])
    return objects


def includes_within(folder: Path) -> Uses:
    """Which file of a folder includes which other, found beside it or from the folder; no names."""
    found: Uses = {}
    for path in layers.sources(folder):
        code = layers.without_comments(path.read_text(encoding="utf-8"))
        names = [name for _, name, _ in layers.includes(path)] + SWIG_INCLUDE.findall(code)
        candidates = [(base / name).resolve() for name in names for base in (path.parent, folder)]
        inside = [other for other in candidates if other.is_file() and other.is_relative_to(folder.resolve())]
        used = {other.relative_to(folder.resolve()).as_posix(): {"#include"} for other in inside}
        found[path.relative_to(folder).as_posix()] = used
    return found
