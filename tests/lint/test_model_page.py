"""The steps of the models are functions of the core, as docs/model.md has them; planted differences are found."""

from __future__ import annotations

from pathlib import Path

import model_page
import pytest
from model import runs


def test_steps_are_functions_of_the_core(repository: Path) -> None:
    violations = model_page.check(repository)
    assert not violations, "\n".join(violations)


def test_every_label_is_read(repository: Path) -> None:
    """A label of another form would be none."""
    _, texts, _ = model_page.read(repository)
    labels = sum(text.count("step:") for text in texts.values())
    assert labels == sum(len(model_page.LABEL.findall(text)) for text in texts.values()) > 80
    models = model_page.steps_by_model(texts)
    assert set(models) >= {run.configuration.model for run in runs.all_runs()}


def test_functions_are_found_where_they_are_defined(repository: Path) -> None:
    _, _, sources = model_page.read(repository)
    defined = model_page.functions_of_core(sources)
    assert defined["magazine_pop"] == ["cache/magazine.h"]
    assert defined["heap_return_blocks"] == ["heap/heap_return.c"]
    assert defined["helper_stop"] == ["retention/helper.c"]
    assert defined["flush_at_end"] == ["lifecycle/start.c"]
    assert "if" not in defined
    assert "lock_order_enter" in defined


SOURCES = {
    "heap/heap.c": (
        "/* int gone(void) { */\nstatic int take(\n    Heap *heap, void (*visit)(int)) {\n    if (heap) {\n    }\n}\n"
    ),
    "heap/heap.h": "HAK_INLINE void **give(void) { return NULL; }\nint declared(void);\n",
}
MODEL = """/*
 * heap.pml - a job.
 */
/* step: take */
inline take_it() {
    x = 1; /* step: give */
}

/* step: give, take
 * More words. */
proctype giver() { skip }
"""
PAGE = """# Page

<!-- steps of heap: made by `x` -->
| step | functions |
|---|---|
| `take_it` | `take` (heap/heap.c), `give` (heap/heap.h) |
| `giver` | `give` (heap/heap.h), `take` (heap/heap.c) |
<!-- end -->

The end.
"""


def test_what_agrees_is_not_found() -> None:
    assert model_page.violations(PAGE, {"heap.pml": MODEL}, SOURCES) == []
    assert model_page.functions_of_core(SOURCES) == {"take": ["heap/heap.c"], "give": ["heap/heap.h"]}


def test_included_file_belongs_to_its_model() -> None:
    begin, _, _ = MODEL.partition("/* step: give, take")
    texts = {"heap.pml": begin, "heap_giver.pml": "/* step: give, take */\nproctype giver() {}\n"}
    assert model_page.violations(PAGE, texts, SOURCES) == []


@pytest.mark.parametrize(
    ("page", "model", "sources", "expected"),
    [
        (PAGE, MODEL, {"heap/heap.c": SOURCES["heap/heap.c"]}, "take_it of heap is give, which core/src does not"),
        (PAGE, MODEL.replace("step: take ", "step: declared "), SOURCES, "is declared, which core/src does not define"),
        (PAGE, MODEL.replace("step: give, take", "step: give"), SOURCES, "a table is not what the models say"),
        (PAGE.replace("`take_it`", "`take_that`"), MODEL, SOURCES, "a table is not what the models say"),
        (PAGE.replace("(heap/heap.h)", "(heap/old.h)"), MODEL, SOURCES, "a table is not what the models say"),
        (PAGE.replace("steps of heap", "steps of slab"), MODEL, SOURCES, "has no table of the steps of heap"),
        (PAGE.replace("steps of heap", "steps of slab"), MODEL, SOURCES, "slab is no model with steps"),
        (PAGE, MODEL + "/* step: take */\n", SOURCES, "a label of heap belongs to no step: take"),
    ],
)
def test_planted_difference_is_found(page: str, model: str, sources: dict[str, str], expected: str) -> None:
    found = model_page.violations(page, {"heap.pml": model}, sources)
    assert any(expected in violation for violation in found), found


def test_table_is_written(tmp_path: Path) -> None:
    for name, text in {"docs/model.md": PAGE.replace("take", "old"), "tests/model/heap.pml": MODEL}.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    for name, text in SOURCES.items():
        (tmp_path / "core" / "src" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "core" / "src" / name).write_text(text)
    assert model_page.check(tmp_path) != []
    model_page.write(tmp_path)
    assert (tmp_path / "docs" / "model.md").read_text() == PAGE
