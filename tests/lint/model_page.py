"""Which function each step of a model is: docs/model.md has that as tables, which are made from the models.

    python tests/lint/model_page.py [--write]

reports what differs, or writes the tables anew. In a model (tests/model) a comment names the functions of the core that
a step models:

    /* step: magazine_pop, magazine_push */

before the inline or the process that is the step, or within it. A function that core/src does not define is reported.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import layers
import made_part

PAGE = "docs/model.md"
MODELS = "tests/model"
COMMAND = "python tests/lint/model_page.py --write"

LABEL = re.compile(r"/\* step: ([\w, ]+)")
STEP = re.compile(r"^(?:inline|(?:active )?proctype) (\w+)", re.MULTILINE)
# A definition begins in the first column.
DEFINITION = re.compile(r"^(?![#*/ ])[\w \t*()]*?\b(\w+)\(((?:[^(){};]|\([^(){};]*\))*)\)\s*\{", re.MULTILINE)
TABLE = re.compile(r"(<!-- steps of (\w+): made by `[^`]*` -->\n)(.*?)(<!-- end -->\n)", re.DOTALL)

# Of one model: the step, and the functions that it models, in the order of the files and of their lines.
Steps = dict[str, list[str]]


def functions_of_core(sources: Mapping[str, str]) -> dict[str, list[str]]:
    """`sources`: text by path below core/src. The files that define each function."""
    found: dict[str, list[str]] = {}
    for path, text in sorted(sources.items()):
        for match in DEFINITION.finditer(layers.without_comments(text)):
            found.setdefault(match[1], []).append(path)
    return found


def steps_of_model(text: str) -> Steps:
    """A label in the first column belongs to the step behind it, another one to the step around it."""
    starts = [(match.start(), match[1]) for match in STEP.finditer(text)]
    found: Steps = {}
    for label in LABEL.finditer(text):
        is_before = label.start() == 0 or text[label.start() - 1] == "\n"
        before = [name for start, name in starts if start < label.start()]
        behind = [name for start, name in starts if start > label.start()]
        names = behind[:1] if is_before else before[-1:]
        functions = found.setdefault(names[0] if names else "", [])
        functions += [name for name in re.split(r",\s*", label[1].strip()) if name not in functions]
    return found


def steps_by_model(texts: Mapping[str, str]) -> dict[str, Steps]:
    """`texts`: by name of the .pml file. The name of an included file begins with its model's, or it is everybody's."""
    found: dict[str, Steps] = {}
    stems = {Path(name).stem for name in texts}
    for name, text in sorted(texts.items()):
        stem = Path(name).stem
        model = stem.split("_")[0] if stem.split("_")[0] in stems else stem
        for step, functions in steps_of_model(text).items():
            known = found.setdefault(model, {}).setdefault(step, [])
            known += [function for function in functions if function not in known]
    return found


def table(steps: Steps, defined: Mapping[str, list[str]]) -> str:
    rows = ["| step | functions |", "|---|---|"]
    for step, functions in steps.items():
        cells = [f"`{function}` ({', '.join(defined.get(function, ['nowhere']))})" for function in functions]
        rows.append(f"| `{step}` | {', '.join(cells)} |")
    return "\n".join(rows) + "\n"


def with_tables(page: str, models: Mapping[str, Steps], defined: Mapping[str, list[str]]) -> str:
    return TABLE.sub(lambda match: match[1] + table(models.get(match[2], {}), defined) + match[4], page)


def violations(page: str, texts: Mapping[str, str], sources: Mapping[str, str]) -> list[str]:
    defined = functions_of_core(sources)
    models = steps_by_model(texts)
    found = []
    for model, steps in models.items():
        for step, functions in steps.items():
            if step == "":
                found.append(f"{MODELS}: a label of {model} belongs to no step: {', '.join(functions)}")
            found += [
                f"{MODELS}: {step} of {model} is {function}, which core/src does not define"
                for function in functions
                if function not in defined
            ]
    on_page = [match[2] for match in TABLE.finditer(page)]
    found += [f"{PAGE}: has no table of the steps of {model}" for model in sorted(set(models) - set(on_page))]
    found += [f"{PAGE}: {model} is no model with steps" for model in sorted(set(on_page) - set(models))]
    if with_tables(page, models, defined) != page:
        found.append(f"{PAGE}: a table is not what the models say; run: {COMMAND}")
    return found


def read(root: Path) -> tuple[str, dict[str, str], dict[str, str]]:
    source_root = root / "core" / "src"
    paths = [path for path in source_root.rglob("*") if path.suffix in (".c", ".h")]
    sources = {path.relative_to(source_root).as_posix(): path.read_text("utf-8") for path in paths}
    texts = {path.name: path.read_text("utf-8") for path in (root / MODELS).glob("*.pml")}
    return (root / PAGE).read_text("utf-8"), texts, sources


def check(root: Path) -> list[str]:
    return violations(*read(root))


def write(root: Path) -> None:
    page, texts, sources = read(root)
    (root / PAGE).write_text(with_tables(page, steps_by_model(texts), functions_of_core(sources)), "utf-8")


if __name__ == "__main__":
    made_part.run(__doc__, check, write)
