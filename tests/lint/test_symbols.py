"""The linker sees names of ours only, and the shared library exports exactly what the headers declare."""

from __future__ import annotations

import subprocess
from pathlib import Path

import symbols


def test_archive_defines_only_names_of_ours(c_library: Path, c_library_with_checks: Path) -> None:
    assert symbols.foreign_symbols(c_library / "core" / "libhakmem.a") == set()
    assert symbols.foreign_symbols(c_library_with_checks / "core" / "libhakmem.a") == set()


def test_shared_library_exports_what_the_headers_declare(repository: Path, c_library: Path) -> None:
    headers = (repository / "core" / "include").glob("*.h")
    declared = set().union(*(symbols.declared_functions(header) for header in headers))
    exported = symbols.global_symbols(c_library / "core" / "libhakmem.so", dynamic=True)
    known = {"hak_malloc", "hak_check", "hak_published", "hak_control_trim"}
    assert known <= declared, "the headers were not read well"
    assert exported == declared


def test_list_of_internal_names_is_current(repository: Path, c_library: Path, c_library_with_checks: Path) -> None:
    """A name in base/symbols.h that no build defines is a leftover; a missing one is found above."""
    renamed = symbols.renamed_symbols(repository / "core" / "src" / "base" / "symbols.h")
    builds = (c_library, c_library_with_checks)
    defined = set().union(*(symbols.global_symbols(build / "core" / "libhakmem.a") for build in builds))
    assert {new for new in renamed.values() if new not in defined} == set()


def test_planted_symbols_are_found(tmp_path: Path) -> None:
    source = tmp_path / "planted.c"
    source.write_text(
        "int hak_good;\n"
        "static int hidden_from_all;\n"
        '__attribute__((visibility("hidden"))) int *superslab_release(void) { return &hidden_from_all; }\n'
    )
    library = tmp_path / "libplanted.a"
    subprocess.run(["cc", "-c", "planted.c", "-o", "planted.o"], check=True, cwd=tmp_path)
    subprocess.run(["ar", "rcs", library, "planted.o"], check=True, cwd=tmp_path)
    assert symbols.foreign_symbols(library) == {"superslab_release"}

    shared = tmp_path / "libplanted.so"
    subprocess.run(["cc", "-shared", "-fPIC", "planted.c", "-o", shared], check=True, cwd=tmp_path)
    assert symbols.global_symbols(shared, dynamic=True) == {"hak_good"}


def test_declarations_of_all_shapes_are_read(tmp_path: Path) -> None:
    header = tmp_path / "planted.h"
    header.write_text(
        "HAK_EXPORT void *hak_one(size_t size) HAK_ATTR(malloc);\n"
        "HAK_EXPORT const hak_info_t *hak_two(\n    size_t index);\n"
        "/* HAK_EXPORT hak_three(void) is not one */\n"
    )
    assert symbols.declared_functions(header) == {"hak_one", "hak_two"}
