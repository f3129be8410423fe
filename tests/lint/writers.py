"""Reports writes to a part of struct Heap from outside of the folder that the part belongs to. Reads are free.

A write is an assignment, ++ and --, a macro that stores, memset and the like, and taking the address with & unless what
takes it is const, or loads. An array that is handed over by its name alone is not seen.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import layers

ANYBODY = ("",)

# Each member of struct Heap, and what the paths in core/src begin with that may write it. lifecycle/pool.c resets a
# heap that goes from one thread to the next.
WRITERS: dict[str, tuple[str, ...]] = {
    "magazines": ("cache/", "alloc/", "lifecycle/pool."),
    "requests": ("cache/", "alloc/", "lifecycle/pool."),
    "lock": ANYBODY,
    "kind": ("lifecycle/pool.",),
    "next": ("heap/",),
    "used_bytes": ("heap/",),
    "next_pooled": ("lifecycle/pool.",),
    "slabs": ("heap/",),
    "cache": ("cache/",),
    "alloc": ("alloc/", "lifecycle/pool."),
    "retention": ("retention/",),
    "counter": ("heap/",),
    "small_slots": ("cache/",),
    "class": ("heap/",),
}

HEAP_HEADER = "heap/heap.h"
CONTEXT = 500  # characters before and behind that say what is done
STORING_MACRO = re.compile(r"\b(?:(?:STORE|ADD|SUB)_[A-Z]+|COMPILER_FORGETS)\s*\(\s*$")
FILLING_FUNCTION = re.compile(r"\b(?:memset|memcpy|memmove|bzero|v?snprintf|strcpy)\s*\(\s*(?:\([\w\s*]+\)\s*)?$")
ASM_OUTPUT = re.compile(r'"[=+][^"]*"\s*\(\s*$')
# Members and elements of the part itself.
INSIDE = re.compile(r"(?:\s*\.\s*\w+|\s*\[(?:[^\[\]]|\[[^\[\]]*\])*\])*")
ASSIGNMENT = re.compile(r"\s*(?:=(?!=)|[-+*/%&|^]=|<<=|>>=|\+\+|--)")
LOAD = re.compile(r"\batomic_load(?:_explicit)?\s*\(\s*$")
CONST_POINTER = re.compile(r"\bconst\b[\w\s]*\*\s*(?:const\s+)?\w+\s*=\s*$|\(\s*const\b[\w\s]*\*\s*\)\s*$|[=!]=\s*$")
CAST = re.compile(r"\(\s*(?:[\w\s()]+\*+|uintptr_t)\s*(?:const|_Atomic)?\s*\)\s*$")
NOT_A_TYPE = {"sizeof", "return", "else", "case", "goto", "const", "struct", "typedef"}
FUNCTION = re.compile(r"\b(\w+)\s*\(((?:[^();]|\([^();]*\))*)\)\s*(?:\w+\s*)?[{;]")


def members_of_heap(header: str) -> list[str]:
    """The members of struct Heap, in their order; `header` without comments."""
    match = re.search(r"\bstruct\s+Heap\s*\{", header)
    if match is None:
        return []
    body = header[match.end() : closing(header, match.end() - 1)]
    flat = re.sub(r"\{[^{}]*\}", " ", body)
    while flat != body:
        body, flat = flat, re.sub(r"\{[^{}]*\}", " ", flat)
    return [name for member in flat.split(";") for name in declared_in(member)]


def declared_in(member: str) -> list[str]:
    bare = re.sub(r"\[[^\[\]]*\]|\b(?:_Alignas|_Atomic|__attribute__)\s*\((?:[^()]|\([^()]*\))*\)", " ", member)
    return [words[-1] for part in bare.split(",") if (words := re.findall(r"\w+", part))]


def missing_rows(header: str, writers: Mapping[str, Sequence[str]]) -> list[str]:
    """Members without a row, and rows without a member."""
    members = members_of_heap(header)
    found = [f"struct Heap has `{name}`; WRITERS has no row for it" for name in members if name not in writers]
    return found + [
        f"WRITERS has a row `{name}`; struct Heap has no such part" for name in writers if name not in members
    ]


def closing(code: str, opened: int) -> int:
    """Where the bracket that is opened at `opened` is closed."""
    depth = 0
    for place in range(opened, len(code)):
        depth += (code[place] in "([{") - (code[place] in ")]}")
        if depth == 0:
            return place
    return len(code)


def opening(code: str, closed: int) -> int:
    """Where the bracket that is closed at `closed` was opened."""
    depth = 0
    for place in range(closed, -1, -1):
        depth += (code[place] in ")]}") - (code[place] in "([{")
        if depth == 0:
            return place
    return 0


def start_of_operand(code: str, end: int) -> int:
    """Where the expression begins that `code[:end]` ends in: names, members, indices, calls, brackets."""
    place = end
    while True:
        place = len(code[:place].rstrip())
        while place > 0 and code[place - 1] in ")]":
            place = len(code[: opening(code, place - 1)].rstrip())
        name = re.search(r"\w*$", code[:place])
        place -= len(name[0]) if name else 0
        member = re.search(r"(?:->|\.)\s*$", code[:place])
        if member is None:
            return place + (len(code[place:]) - len(code[place:].lstrip()))
        place = member.start()


def is_heap(code: str, start: int, end: int, known: set[str]) -> bool:
    """Is `code[start:end]` a heap, or a pointer to one? `known`: what any file declares so."""
    operand = code[start:end].rstrip()
    if operand.endswith(")"):
        places = [(start + match.start(), start + match.end()) for match in re.finditer(r"\w+", operand)]
        return re.search(r"\bHeap\b", operand) is not None or any(is_heap(code, *place, known) for place in places)
    name = re.search(r"(\w+)\s*(?:\[.*\])?$", operand, re.DOTALL)
    if name is None:
        return False
    if name.start() > 0:  # a member of something else
        return name[1] in known
    # The declaration that stands nearest above it; `Heap *to, *from` is one of both.
    declaration = rf"\b(\w+)[\s*]+(?:\w+\s*(?:=[^,;]*)?,\s*\*\s*)*(?:(?:const|_Atomic)\s+)?\b{name[1]}\s*[,;=)\[]"
    types = [found[1] for found in re.finditer(declaration, code[:start]) if found[1] not in NOT_A_TYPE]
    return types[-1] == "Heap" if types else name[1] in known


def names_of_heaps(code: str) -> set[str]:
    """Variables, members and functions that are declared as heaps."""
    return set(re.findall(r"\bHeap\b[\s*]*\)?\s*(?:_Atomic\s+|const\s+)*(\w+)\s*(?:[\[(;,=)]|HEAP_TLS_MODEL)", code))


def const_parameters(code: str) -> dict[str, set[int]]:
    """By function, which of its parameters point to what it does not write."""
    found: dict[str, set[int]] = {}
    for match in FUNCTION.finditer(code):
        for index, parameter in enumerate(match[2].split(",")):
            if re.match(r"\s*const\b.*\*", parameter, re.DOTALL):
                found.setdefault(match[1], set()).add(index)
    return found


def is_const_argument(before: str, const: Mapping[str, set[int]]) -> bool:
    """Does `before` end where an argument begins that the called function does not write?"""
    depth, index = 0, 0
    for place in range(len(before) - 1, -1, -1):
        depth += (before[place] in ")]}") - (before[place] in "([{")
        if depth < 0:
            name = re.search(r"(\w+)\s*$", before[:place])
            return name is not None and index in const.get(name[1], ())
        index += depth == 0 and before[place] == ","
    return False


def is_write(before: str, after: str, const: Mapping[str, set[int]]) -> bool:
    """Is what stands between `before` and `after` written?"""
    if STORING_MACRO.search(before) or FILLING_FUNCTION.search(before) or ASM_OUTPUT.search(before):
        return True
    while re.search(r"(?:^|[^\w\s)\]])\s*\(\s*$", before) and after.lstrip().startswith(")"):
        before, after = before.rstrip()[:-1], after.lstrip()[1:]
    if ASSIGNMENT.match(after) or re.search(r"(?:\+\+|--)\s*$", before):
        return True
    address = re.search(r"(?<!&)&\s*$", before)
    if address is None:
        return False
    before = before[: address.start()]
    if re.search(r"[\w\])]\s*$", before) and not CAST.search(before) and not re.search(r"\breturn\s*$", before):
        return False  # the bits of both
    return not (LOAD.search(before) or CONST_POINTER.search(before) or is_const_argument(before, const))


def writes(
    code: str, parts: Sequence[str], known: set[str], const: Mapping[str, set[int]]
) -> Iterator[tuple[str, str, int]]:
    """(part, what is written, line number) in a file without comments."""
    member = re.compile(rf"(?:->|\.)\s*({'|'.join(parts)})\b")
    for match in member.finditer(code):
        inside = INSIDE.match(code, match.end())
        end = inside.end() if inside else match.end()
        if code[end:].lstrip().startswith("->"):
            continue  # a pointer in the part is read, and what it points to is another's
        start = start_of_operand(code, match.start())
        if is_heap(code, start, match.start(), known) and is_write(
            code[max(0, start - CONTEXT) : start], code[end : end + CONTEXT], const
        ):
            written = re.sub(r"\s+", " ", code[start:end])
            yield match[1], written, code.count("\n", 0, match.start()) + 1


def check(core: Path, writers: Mapping[str, Sequence[str]]) -> list[str]:
    codes = {
        path.relative_to(core).as_posix(): layers.without_comments(path.read_text(encoding="utf-8"))
        for path in layers.sources(core)
    }
    known = set().union(*map(names_of_heaps, codes.values()))
    const = const_parameters("\n".join(codes.values()))
    found = missing_rows(codes.get(HEAP_HEADER, ""), writers)
    for file, code in codes.items():
        for part, written, line in writes(code, list(writers), known, const):
            if not file.startswith(tuple(writers[part])):
                found.append(f"{file}:{line}: writes {written}; only {', '.join(writers[part])} may write `{part}`")
    return found
