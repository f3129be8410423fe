"""Three judge whether a program can have the preloaded library: here they judge the same files.

Python does (`hakmem exec`), the script hakmem-exec does, and the library, where a served process executes a program.
"""

from __future__ import annotations

import os
import struct
import subprocess
import sys
from pathlib import Path

import pytest
from hakmem import elf_file, preload
from python_support import clean_environment

NOBODY = 65534


def elf(
    loader: bytes = b"", kind: bytes = b"\x02\x01", machine: int = 0, tail: bytes = b"", sections_at: int = 0
) -> bytes:
    """The head of a program: the machine's own where nothing else is said. `sections_at`: of SECTIONS of them."""
    own = elf_file.read(sys.executable)
    assert own is not None
    head = b"\x7fELF" + kind + b"\x01" + bytes(9)
    order = "<" if kind[1:] == b"\x01" else ">"
    head += struct.pack(
        order + "HHIQQQIHHHHHH",
        *(2, machine or own.machine, 1, 0, 64, sections_at, 0, 64, 56, bool(loader)),
        *((SECTION_BYTES, SECTIONS, 0) if sections_at else (0, 0, 0)),
    )
    if loader:
        head += struct.pack(order + "IIQQQQQQ", 3, 4, 120, 0, 0, len(loader) + 1, len(loader) + 1, 1)
    return head + loader + b"\0" + tail


def elf_with_sections(tables_kind: int, names: bytes, size_bytes: int | None = None) -> bytes:
    """A program with the names in its first section: of this kind (3: a string table) and size."""
    names_at = len(elf(OWN_LOADER, sections_at=1))
    sections_at = names_at + len(names)
    size_bytes = len(names) if size_bytes is None else size_bytes
    kinds = (tables_kind, *[8] * (SECTIONS - 1))
    table = [struct.pack("<IIQQQQIIQQ", 0, kind, 0, 0, names_at, size_bytes, 0, 0, 1, 0) for kind in kinds]
    return elf(OWN_LOADER, tail=names, sections_at=sections_at) + b"".join(table)


SECTIONS, SECTION_BYTES = 3, 64
OWN_LOADER = os.fsencode((elf_file.read(sys.executable) or elf_file.ElfFile(b"", 0, "")).loader)
PROGRAM = elf(OWN_LOADER)
SANITIZED = " is built with a sanitizer, which has a malloc of its own"
OF_OTHER_MACHINE = " is for another machine or word size than "

CONTENTS = {
    "dynamic": (PROGRAM, ""),
    "another loader of the same C library": (elf(OWN_LOADER.replace(b"/ld", b"/opt/ld")), ""),
    "static": (elf(), " is a static program, which has its malloc inside"),
    "word size": (elf(OWN_LOADER, kind=b"\x01\x01"), OF_OTHER_MACHINE),
    "byte order": (elf(OWN_LOADER, kind=b"\x02\x02"), OF_OTHER_MACHINE),
    "machine": (elf(OWN_LOADER, machine=243), OF_OTHER_MACHINE),
    "C library": (elf(b"/lib/ld-musl-x86_64.so.1"), " is for musl, and "),
    "asan": (elf(OWN_LOADER, tail=b"\0__asan_init\0"), SANITIZED),
    "tsan": (elf(OWN_LOADER, tail=b"\0__tsan_init\0"), SANITIZED),
    "msan": (elf(OWN_LOADER, tail=b"\0__msan_init\0"), SANITIZED),
    "hwasan": (elf(OWN_LOADER, tail=b"\0__hwasan_init\0"), SANITIZED),
    "far behind": (elf(OWN_LOADER, tail=bytes(1_000_003) + b"__asan_init\0"), SANITIZED),
    "asan's symbol": (elf_with_sections(3, b"\0main\0__asan_init\0"), SANITIZED),
    "a table that ends nowhere": (elf_with_sections(3, b"\0__asan_init\0", 1 << 62), SANITIZED),
    "sections cut": (elf_with_sections(3, b"\0__asan_init\0")[:-70], SANITIZED),
    "sections nowhere": (elf(OWN_LOADER, sections_at=1 << 40), ""),
    "sections beyond every file": (elf(OWN_LOADER, sections_at=(1 << 64) - 1), ""),
    "on the edge of a part": (elf_with_sections(3, bytes(65533) + b"__asan_init\0"), SANITIZED),
    "a compiler's": (elf(OWN_LOADER, tail=b"\0__builtin___asan_init\0"), ""),
    "no sanitizer's": (elf(OWN_LOADER, tail=b"\0my_san_init\0"), ""),
    "cut": (PROGRAM[:70], ""),
    "cut in its loader": (PROGRAM[:125], ""),
    "head": (PROGRAM[:30], ""),
    "magic": (b"\x7fELF", ""),
    "text": (b"no program", ""),
    "empty": (b"", ""),
}

# (mode, owner, group): of a file of root's, judged by root.
RIGHTS = {
    "of root": (0o4755, 0, 0, ""),
    "of root's group": (0o2755, 0, 0, ""),
    "of another user": (0o4755, NOBODY, 0, " is a set-user-ID program, which the loader protects from preloading"),
    "of another group": (0o2755, 0, NOBODY, " is a set-group-ID program, which the loader protects from preloading"),
    "locked, not of another group": (0o2745, 0, NOBODY, ""),
}


def executable(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    path.chmod(0o755)
    return path


def errors_of(*command: str | Path) -> str:
    """What it says on stderr; most of these files cannot be executed after all."""
    words = [str(word) for word in command]
    return subprocess.run(words, capture_output=True, text=True, timeout=60, env=clean_environment()).stderr


# What the library says, by a word of the others' reason.
TEXTS_OF_LIBRARY = {
    "static program": "it is static, with its malloc inside",
    "rotects": "it gives rights of its own, so the loader preloads nothing",
    "sanitizer": "it is built with a sanitizer, which has a malloc of its own",
    "is for": "it is for another machine, word size or C library",
}


def require_warned_by_library(launcher: Path, path: Path, reason: str) -> None:
    """What the library says where a served process executes the program; without a reason nothing."""
    found = [line for line in errors_of(launcher, "sh", "-c", 'exec "$0"', path).splitlines() if "hakmem: " in line]
    texts = [text for word, text in TEXTS_OF_LIBRARY.items() if word in reason]
    assert len(texts) == bool(reason)
    assert found == [f"hakmem: warning: {path} runs without hakmem: {text}" for text in texts]


def require_judged(launcher: Path, path: Path, reason: str) -> None:
    by_python = preload.obstacle_of_program(str(path))
    assert by_python.startswith(f"{path}{reason}") if reason else by_python == ""
    by_shell = errors_of(launcher, "--require", path)
    if reason:
        assert by_shell.startswith(f"hakmem: error: {path}{reason}")
    else:  # the kernel, or the shell that executes it, may say something
        assert all(str(path) in line for line in by_shell.splitlines()), by_shell
        assert "hakmem: " not in by_shell
    require_warned_by_library(launcher, path, reason)


@pytest.fixture
def launcher(c_library: Path) -> Path:
    return c_library / "bindings" / "libc" / "hakmem-exec"


@pytest.mark.parametrize("name", CONTENTS)
def test_contents(launcher: Path, tmp_path: Path, name: str) -> None:
    content, reason = CONTENTS[name]
    require_judged(launcher, executable(tmp_path / "program", content), reason)


@pytest.mark.parametrize("name", CONTENTS)
def test_script_is_judged_by_its_interpreter(launcher: Path, tmp_path: Path, name: str) -> None:
    content, reason = CONTENTS[name]
    interpreter = executable(tmp_path / "program", content)
    script = executable(tmp_path / "script", b"#! %s -x\n" % os.fsencode(interpreter))
    found = preload.obstacle_of_program(str(script))
    assert found == preload.obstacle_of_program(str(interpreter))
    assert bool(found) == bool(reason)
    by_shell = errors_of(launcher, "--require", script)
    assert by_shell.startswith(f"hakmem: error: {interpreter}{reason}") if reason else "hakmem: " not in by_shell
    require_warned_by_library(launcher, script, reason)


@pytest.mark.parametrize(
    "content",
    [
        elf_with_sections(1, b"\0__asan_init\0"),
        elf_with_sections(3, b"\0main\0__asan_init\0", len(b"\0main\0__asan")),
    ],
    ids=["a text of the program", "behind its string table"],
)
def test_name_outside_of_string_tables(launcher: Path, tmp_path: Path, content: bytes) -> None:
    """It is no symbol."""
    require_judged(launcher, executable(tmp_path / "program", content), "")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file to another user")
@pytest.mark.parametrize("by_link", [False, True])
@pytest.mark.parametrize("name", RIGHTS)
def test_rights(launcher: Path, tmp_path: Path, name: str, by_link: bool) -> None:
    mode, owner, group, reason = RIGHTS[name]
    path = executable(tmp_path / "program", PROGRAM)
    os.chown(path, owner, group)
    path.chmod(mode)
    link = tmp_path / "link"
    link.symlink_to(path)
    require_judged(launcher, link if by_link else path, reason)


def test_owner_gains_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = executable(tmp_path / "program", PROGRAM)
    path.chmod(0o4755)
    assert preload.obstacle_of_program(str(path)) == ""
    monkeypatch.setattr(os, "getuid", lambda: path.stat().st_uid + 1)
    assert " is a set-user-ID program, which the loader" in preload.obstacle_of_program(str(path))


def test_capabilities(launcher: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """They protect a program from preloading, unless it is root's process."""
    path = executable(tmp_path / "program", PROGRAM)
    monkeypatch.setattr(os, "getuid", lambda: path.stat().st_uid + 1)
    monkeypatch.setattr(os, "listxattr", lambda _: ["security.capability"])
    reason = f"{path} has capabilities of its own, so the loader protects it from preloading"
    assert preload.obstacle_of_program(str(path)) == reason
    commands = tmp_path / "commands"
    commands.mkdir()
    executable(commands / "id", b"#!/bin/sh\necho 1000\n")
    executable(commands / "getcap", b'#!/bin/sh\necho "$1 cap_net_raw=ep"\n')
    monkeypatch.setenv("PATH", f"{commands}{os.pathsep}{os.environ['PATH']}")
    assert errors_of(launcher, "--require", path) == f"hakmem: error: {reason}\n"
