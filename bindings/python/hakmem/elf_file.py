"""Reads from the head of an ELF file what kind of program it is for: word size, machine, and the loader it names.

The preloaded library judges by the same rules (bindings/libc/src/program_file.c), but cannot be asked: it is loaded by
the program alone, since a process with it has a second core.
"""

import mmap
import os
import struct

MAGIC = b"\x7fELF"
LOADER_HEADER = 3  # PT_INTERP
HEADERS_MAX = 1024
PATH_BYTES_MAX = 4096
# A name of a symbol stands alone between two NULs; a compiler has it in longer ones.
SANITIZERS = (b"\0__a", b"\0__t", b"\0__m", b"\0__hwa")  # and behind it:
SANITIZER_REST = b"san_init\0"


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
        order = "<" if head[5] == 1 else ">"
        is_64_bit = head[4] == 2
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
    """Tell whether a file calls the run-time library of a sanitizer that brings a malloc. Raises OSError."""
    with open(path, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as contents:
        place = contents.find(SANITIZER_REST)
        while place >= 0:
            if contents[max(place - 6, 0) : place].endswith(SANITIZERS):
                return True
            place = contents.find(SANITIZER_REST, place + 1)
    return False


def libc_of(loader: str) -> str:
    """Return the C library that a loader belongs to."""
    return "musl" if "ld-musl" in loader else "glibc"
