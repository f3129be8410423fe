"""What docs/coverage.md quotes stands in the core, and a gap that is open or closed elsewhere than it says is found."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from covered.measure import (
    FileCoverage,
    Gap,
    Place,
    condition_text,
    gaps_of_file,
    measured,
    read_lines,
    unclear_of_file,
)
from covered.page import Page, PageError, differences, function_text, has_text, read_page, written

SOURCE = """static int twice(int x) { return x > 1 ? 2 * x : 0; }

bool find(const Thing *thing, size_t bytes,
          unsigned count) {
    if (HAK_UNLIKELY(thing == NULL ||
                     count > LOAD_RELAXED(thing->count)))
        return false;
    while (count > LOAD_RELAXED(thing->count) && bytes > 0) count--;
    return true;
}
"""


def test_page_quotes_the_core(repository: Path) -> None:
    page = read_page((repository / "docs" / "coverage.md").read_text("utf-8"))
    assert page.always
    for gap, times in (page.always + page.by_chance).items():
        text = (repository / "core" / "src" / gap.file).read_text("utf-8")
        function = function_text(text, gap.function)
        assert function, f"docs/coverage.md: {gap.file} has no function {gap.function}"
        assert has_text(function, gap.text), f"docs/coverage.md: {gap.file}: {gap.function} has no {gap.text!r}"
        in_function = " ".join(function.split()).count(" ".join(gap.text.split()))
        assert times <= in_function, f"docs/coverage.md: {gap.function}: {gap.text!r} {times} times, of {in_function}"


def test_page_gives_a_reason_for_each_block(repository: Path) -> None:
    """The paragraph above it."""
    before = (repository / "docs" / "coverage.md").read_text("utf-8").split("```")[:-1:2]
    assert [text for text in before if not text.rstrip().endswith((".", ":"))] == []


PAGE = """# Title

Reason.

```uncovered
heap/a.c: find
    never true: thing == NULL
    never run: return false;
```

```by-chance
heap/a.c: find
    never false: bytes > 0
```
"""
TRUE, RUN, CHANCE = (
    Gap("heap/a.c", "find", kind, text)
    for kind, text in (("never true", "thing == NULL"), ("never run", "return false;"), ("never false", "bytes > 0"))
)


def test_page_is_read_and_written() -> None:
    page = read_page(PAGE)
    assert page.always == Counter([TRUE, RUN])
    assert page.by_chance == Counter([CHANCE])
    assert written([TRUE, RUN]) in PAGE


@pytest.mark.parametrize("line", ["    never mind: x", "heap/a.c find", "    never run: "])
def test_line_that_is_no_gap_is_refused(line: str) -> None:
    with pytest.raises(PageError, match="neither"):
        read_page(PAGE.replace("    never run: return false;", line))
    with pytest.raises(PageError, match="neither"):
        read_page("```uncovered\n    never run: x;\n```\n")


def test_differences_are_found_both_ways() -> None:
    page, other = read_page(PAGE), TRUE._replace(text="x")
    assert differences(Counter([TRUE, RUN]), Counter(), page) == ([], [])
    assert differences(Counter([TRUE, RUN, CHANCE]), Counter(), page) == ([], [])
    assert differences(Counter([TRUE, RUN, other]), Counter(), page) == ([other], [])
    assert differences(Counter([TRUE, TRUE, RUN]), Counter(), page) == ([TRUE], [])
    assert differences(Counter([TRUE]), Counter(), page) == ([], [RUN])


def test_function_is_found_by_its_definition() -> None:
    assert function_text(SOURCE, "twice").startswith("static int twice(int x) {")
    assert has_text(function_text(SOURCE, "find"), "thing == NULL || count > LOAD_RELAXED(thing->count)")
    assert not has_text(function_text(SOURCE, "find"), "x > 1")
    assert function_text("int find(int x);\n", "find") == ""
    assert function_text(SOURCE, "fin") == ""
    both = "#if A\nint f(void) { return 1; }\n#else\nint f(void) { return 2; }\n#endif\n"
    assert function_text(both, "f") == "int f(void) { return 1; }\nint f(void) { return 2; }"


# ---- What llvm-cov exports ----

ROOT = Path("/there")


def region(place: tuple[int, int, int, int], count: int, file: int = 0, expanded: int = 0, kind: int = 0) -> list[int]:
    return [*place, count, file, expanded, kind]


def export(*functions: dict[str, object]) -> dict[str, object]:
    return {"data": [{"functions": list(functions)}]}


def find_function(true: int, false: int, file: str = "/there/heap/a.c") -> dict[str, object]:
    """`find` with the condition of the loop, a macro's around line 5, and one that the compiler knew."""
    return {
        "name": "hak_core_find",
        "filenames": [file, "/there/base/base.h"],
        "regions": [
            region((4, 27, 10, 2), 9),
            region((5, 9, 5, 21), 9, expanded=1, kind=1),
            region((1, 1, 1, 20), 9, file=1),
        ],
        "branches": [
            [8, 12, 8, 32, true, false, 0, 0, 4],
            [1, 5, 1, 10, 3, 6, 1, 0, 4],
            [8, 46, 8, 55, 0, 0, 0, 0, 4],
        ],
    }


LCOV = "SF:/there/heap/a.c\nDA:4,9\nDA:7,0\nDA:8,9\nend_of_record\nSF:/usr/include/x.h\nDA:1,0\nend_of_record\n"


def test_outcomes_are_those_of_all_objects_together() -> None:
    files = measured(export(find_function(4, 0), find_function(0, 0), find_function(1, 2)), LCOV, ROOT)
    assert list(files) == ["heap/a.c"]
    file = files["heap/a.c"]
    assert (len(file.lines), file.lines_covered) == (3, 2)
    assert (file.branches, file.branches_covered) == (4, 4)
    assert file.function_at(7) == "find"
    assert measured(export(find_function(4, 0, "/usr/include/x.h")), "", ROOT) == {}


def test_count_below_zero_is_unclear() -> None:
    """As llvm-cov shows -1."""
    lost = 2**63 - 1
    file = measured(export(find_function(4, lost)), LCOV, ROOT)["heap/a.c"]
    gaps = Counter(gap for _, gap in gaps_of_file("heap/a.c", SOURCE, file))
    gap = Gap("heap/a.c", "find", "never false", "count > LOAD_RELAXED(thing->count)")
    unclear = Counter(unclear_of_file("heap/a.c", SOURCE, file))
    assert gap in gaps
    assert gap in unclear
    others = Page(always=gaps - Counter([gap]))
    assert differences(gaps, unclear, others) == ([], [])
    assert differences(gaps, Counter(), others) == ([gap], [])
    named = Page(always=gaps)
    assert differences(gaps - Counter([gap]), unclear, named) == ([], [])
    assert differences(gaps - Counter([gap]), Counter(), named) == ([], [gap])
    file = measured(export(find_function(4, lost), find_function(1, 2)), LCOV, ROOT)["heap/a.c"]
    assert (file.branches, file.branches_covered) == (4, 4)


def test_gaps_have_the_text_of_the_source() -> None:
    file = measured(export(find_function(4, 0)), LCOV, ROOT)["heap/a.c"]
    assert [gap for _, gap in gaps_of_file("heap/a.c", SOURCE, file)] == [
        Gap("heap/a.c", "find", "never run", "return false;"),
        Gap("heap/a.c", "find", "never false", "count > LOAD_RELAXED(thing->count)"),
    ]


def test_conditions_of_a_line_that_never_runs_are_not_named_again() -> None:
    file = FileCoverage({8: 0}, {Place(8, 12, 8, 32): (0, 0)}, {3: (10, "find")})
    assert [gap.kind for _, gap in gaps_of_file("heap/a.c", SOURCE, file)] == ["never run"]


def test_condition_in_a_macro_is_what_the_macro_is_asked() -> None:
    lines = SOURCE.split("\n")
    whole = "thing == NULL || count > LOAD_RELAXED(thing->count)"
    assert condition_text(lines, Place(5, 9, 5, 21, (93, 33, 93, 67))) == whole
    assert condition_text(lines, Place(6, 22, 6, 42)) == "count > LOAD_RELAXED(thing->count)"
    assert condition_text(lines, Place(5, 22, 6, 42)) == whole


def test_lines_count_once_for_all_objects() -> None:
    assert read_lines(LCOV + "SF:/there/heap/a.c\nDA:7,2\n", ROOT) == {"heap/a.c": {4: 9, 7: 2, 8: 9}}
