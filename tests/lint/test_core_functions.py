"""The table of a core's functions is what hak_core_t says; planted differences are found, most by the compiler, too."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import core_functions
import pytest


def test_rows_are_made_from_the_struct(repository: Path) -> None:
    violations = core_functions.check(repository)
    assert not violations, "\n".join(violations)


def test_each_member_is_read(repository: Path) -> None:
    header = (repository / core_functions.LIST).read_text("utf-8")
    struct = core_functions.STRUCT.search(header)
    assert struct is not None
    members = core_functions.members_of(header)
    assert len(members) == len(re.findall(r"^    \w[^\n]*;", struct[1], re.MULTILINE)) > 40
    assert members[:2] == [("version", "uint32_t"), ("is_started", "int(void)")]
    assert ("library_version", "const char *") in members
    assert ("stats_counter", "const char *(size_t, uint64_t *)") in members
    assert ("heap_id_heap", "hak_heap_t *(uint64_t)") in members


HEADER = """#define HAK_CORE_VERSION 7u
typedef struct hak_core {
    uint32_t version; /* of the core */
    int (*is_started)(void);
    const char *library_version;
    void (*start)(void);

    void *(*malloc)(size_t size_bytes);
    /* Of the table alone. */
    int (*heap_id_new)(const hak_heap_options_t *options, uint64_t *number); /* 0 */
} hak_core_t;
"""
DECLARED = {"hak_malloc", "hak_version"}


def violations(header: str, declared: set[str] = DECLARED, made: str | None = None) -> list[str]:
    return core_functions.violations(header, declared, core_functions.rows(header, declared) if made is None else made)


@pytest.fixture(autouse=True)
def _few_reasons(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if "repository" in request.fixturenames:
        return
    monkeypatch.setattr(core_functions, "FINGERPRINT", (7, core_functions.fingerprint(HEADER)))
    monkeypatch.setattr(core_functions, "NOT_IN_TABLE", {"hak_version": "is a member"})


def test_rows() -> None:
    assert violations(HEADER) == []
    assert [" ".join(line.rstrip("\\").split()) for line in core_functions.rows(HEADER, DECLARED).splitlines()[1:]] == [
        "#define CORE_FUNCTIONS(ROW)",
        "ROW(malloc, hak_malloc)",
        "ROW(heap_id_new, heap_id_new)",
    ]


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (
            "void *(*malloc)(size_t size_bytes);",
            "void *(*malloc)(uint32_t size_bytes);",
            "give HAK_CORE_VERSION the next",
        ),
        ("    int (*heap_id_new)", "    void (*trim)(void);\n    int (*heap_id_new)", "give HAK_CORE_VERSION the next"),
        ("VERSION 7u", "VERSION 8u", "FINGERPRINT is (7, "),
        ("    int (*is_started)(void);\n", "", "does not begin with version, is_started, "),
        ("size_bytes);", "other_bytes);", None),
        ("/* Of the table alone. */", "/* Another comment; */", None),
    ],
)
def test_change_of_the_struct_is_one_of_the_version(old: str, new: str, expected: str | None) -> None:
    assert HEADER.count(old) == 1
    found = violations(HEADER.replace(old, new))
    assert found == [] if expected is None else any(expected in line for line in found), found


def test_rows_of_another_struct_are_found() -> None:
    (found,) = violations(HEADER, made=core_functions.rows(HEADER, DECLARED).replace("hak_malloc", "hak_calloc"))
    assert "functions.h: not what core/include/hakmem_core.h says; run: " in found
    assert len(violations(HEADER, made="")) == 1


def test_function_that_is_left_out_needs_a_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    (found,) = violations(HEADER, {*DECLARED, "hak_trim"})
    assert "hak_trim is not in hak_core_t" in found
    monkeypatch.setattr(core_functions, "NOT_IN_TABLE", {"hak_version": "", "hak_malloc": "", "hak_gone": ""})
    assert [line.split()[1] for line in violations(HEADER)] == ["hak_gone", "hak_malloc"]


MEMBER = "    size_t (*trim)(void);\n"
NEXT = "    void (*thread_flush)(void);\n"
STALE = "core_functions.py --write"


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (MEMBER, MEMBER, ""),
        (MEMBER, "", "trim"),
        (MEMBER, MEMBER + MEMBER.replace("trim", "trim_more"), STALE),
        (MEMBER, MEMBER + "    int added;\n", STALE),
        (MEMBER + NEXT, NEXT + MEMBER, STALE),
        (MEMBER, MEMBER.replace("size_t", "int"), "incompatible"),
    ],
    ids=["as it is", "taken away", "added", "no function", "moved", "another type"],
)
def test_rows_that_do_not_fit_do_not_compile(repository: Path, tmp_path: Path, old: str, new: str, said: str) -> None:
    header, text = tmp_path / "hakmem_core.h", (repository / core_functions.LIST).read_text("utf-8")
    assert text.count(old) == 1
    header.write_text(text.replace(old, new))
    command = ["cc", "-std=gnu11", "-fsyntax-only", "-Werror=incompatible-pointer-types", f"-I{tmp_path}"]
    command += [f"-I{repository}/core/include", f"-I{repository}/core/src", f"{repository}/core/src/control/table.c"]
    result = subprocess.run(command, capture_output=True, text=True)
    assert (result.returncode == 0) == (said == "")
    assert said in result.stderr
