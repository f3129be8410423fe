"""Reads from the head of an ELF file what kind of program it is for: word size, machine, and the loader it names.

The preloaded library judges by the same rules (bindings/libc/src/program_file.c), but cannot be asked: it is loaded by
the program alone, since a process with it has a second core.
"""

import os
import struct

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import BinaryIO

MAGIC = b"\x7fELF"
LOADER_HEADER = 3  # PT_INTERP
STRING_TABLE = 3  # SHT_STRTAB
HEADERS_MAX = 1024
PATH_BYTES_MAX = 4096
PART_BYTES = 1 << 16
# A name of a symbol stands alone between two NULs; GCC's compilers have it in longer ones.
SANITIZERS = (b"\0__a", b"\0__t", b"\0__m", b"\0__hwa")  # and behind it:
SANITIZER_REST = b"san_init\0"
SANITIZER_BYTES_MAX = 32


class ElfFile:
    """What decides whether one file can be loaded into the process of another. `loader` is "" in a static program."""

    def __init__(self, kind: bytes, machine: int, loader: str) -> None:
        """Note it; `kind` is word size and byte order."""
        self.kind = kind
        self.machine = machine
        self.loader = loader


def read(path: str) -> "ElfFile | None":
    """Read a file; None where it is no ELF file, or a broken one. Raises OSError."""
    with open(path, "rb") as file:
        head = file.read(64)
        if head[:4] != MAGIC or len(head) < 52 or head[4] not in (1, 2) or head[5] not in (1, 2):
            return None
        is_64_bit, order = _layout(head)
        if is_64_bit and len(head) < 64:
            return None
        (machine,) = struct.unpack_from(f"{order}H", head, 18)
        (offset,) = struct.unpack_from(f"{order}{'Q' if is_64_bit else 'I'}", head, 32 if is_64_bit else 28)
        header_bytes, count = struct.unpack_from(f"{order}HH", head, 54 if is_64_bit else 42)
        # Of a header: its kind, where in the file it begins, how many bytes it has there.
        layout = struct.Struct(f"{order}I4xQ16xQ" if is_64_bit else f"{order}II8xI")
        for index in range(min(count, HEADERS_MAX)):
            file.seek(offset + index * header_bytes)
            header = file.read(layout.size)
            if len(header) < layout.size:
                return None
            header_kind, begin, size_bytes = layout.unpack(header)
            if header_kind == LOADER_HEADER:
                file.seek(begin)
                loader = file.read(min(size_bytes, PATH_BYTES_MAX)).rstrip(b"\0")
                return ElfFile(head[4:6], machine, os.fsdecode(loader))
    return ElfFile(head[4:6], machine, "")


def has_sanitizer(path: str) -> bool:
    """Tell whether an ELF file calls the run-time library of a sanitizer that brings a malloc. Raises OSError."""
    with open(path, "rb") as file:
        return any(_has_sanitizer_name(file, begin, end) for begin, end in _string_tables(file))


def _layout(head: bytes) -> "tuple[bool, str]":
    """Tell whether the words have 64 bits, and the byte order as struct wants it."""
    return head[4] == 2, "<" if head[5] == 1 else ">"


def _string_tables(file: "BinaryIO") -> "Iterator[tuple[int, int]]":
    """Tell where names of symbols begin and end; all of a file without a table of its sections."""
    file_bytes = os.fstat(file.fileno()).st_size
    head = file.read(64)
    is_64_bit, order = _layout(head)
    (offset,) = struct.unpack_from(f"{order}{'Q' if is_64_bit else 'I'}", head, 40 if is_64_bit else 32)
    header_bytes, count = struct.unpack_from(f"{order}HH", head, 58 if is_64_bit else 46)
    layout = struct.Struct(f"{order}4xI16xQQ" if is_64_bit else f"{order}4xI8xII")
    if count == 0 or header_bytes != layout.size + (24 if is_64_bit else 16):
        yield 0, file_bytes
        return
    for index in range(count):
        file.seek(offset + index * header_bytes)
        header = file.read(layout.size)
        if len(header) < layout.size:
            return
        kind, begin, size_bytes = layout.unpack(header)
        if kind == STRING_TABLE:
            yield begin, min(begin + size_bytes, file_bytes)


def _has_sanitizer_name(file: "BinaryIO", begin: int, end: int) -> bool:
    for offset in range(begin, end, PART_BYTES):
        file.seek(offset)
        part = file.read(min(PART_BYTES + SANITIZER_BYTES_MAX, end - offset))
        place = part.find(SANITIZER_REST)
        while place >= 0:
            if part.endswith(SANITIZERS, max(place - 6, 0), place):
                return True
            place = part.find(SANITIZER_REST, place + 1)
    return False


def libc_of(loader: str) -> str:
    """Return the C library that a loader belongs to."""
    return "musl" if "ld-musl" in loader else "glibc"
