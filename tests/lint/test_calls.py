"""Files of the core and of each binding refer to lower layers, and in no circle; planted references are found."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import calls
import layers
import pytest
import symbols

# ---- The repository ----


@pytest.fixture(scope="module")
def core_uses(repository: Path, c_library: Path, c_library_with_checks: Path) -> list[calls.Uses]:
    """Of both builds: internal assertions call what a release does not."""
    core = repository / "core" / "src"
    renamed = symbols.renamed_symbols(core / "base" / "symbols.h")
    found = []
    for build in (c_library, c_library_with_checks):
        objects = calls.objects_of_core(build, core)
        archive = build / "core" / "libhakmem.a"
        members = subprocess.run(["ar", "t", archive], check=True, capture_output=True, text=True).stdout.split()
        assert Counter(members) == Counter(path.name for path in objects.values()), "an object was not looked at"
        found.append(calls.uses(objects, renamed))
    return found


def test_core_refers_to_lower_layers(core_uses: list[calls.Uses]) -> None:
    violations = {line for found in core_uses for line in calls.upward(found, layers.LAYERS)}
    assert not violations, "\n".join(sorted(violations))


def test_no_layer_of_the_core_has_a_circle(core_uses: list[calls.Uses]) -> None:
    violations = {line for found in core_uses for line in calls.circles_in_layers(found)}
    assert not violations, "\n".join(sorted(violations))


@pytest.fixture
def configure(repository: Path, tmp_path: Path) -> Callable[..., Path]:
    """Configures a build tree; with checks there is no link-time optimisation, whose objects nm cannot read."""

    def configured(*options: str) -> Path:
        tree = tmp_path / "tree"
        command = ["cmake", "-S", str(repository), "-B", str(tree), "--log-level=WARNING"]
        command += ["-DHAKMEM_DEBUG_CHECKS=ON", "-DCMAKE_EXPORT_COMPILE_COMMANDS=ON", *options]
        result = subprocess.run(command, capture_output=True, text=True)
        if "no headers of any of" in result.stderr:
            pytest.skip("no Lua headers here (Debian: liblua5.4-dev)")
        assert result.returncode == 0, result.stdout + result.stderr
        return tree

    return configured


def binding_circles(sources: Path, tree: Path, target: str, out: Path) -> list[str]:
    out.mkdir()
    objects = calls.compile_binding(tree, sources, target, out)
    assert objects.keys() == {path.name for path in sources.glob("*.c")}, "a source was not looked at"
    return calls.circles(calls.uses(objects))


def test_python_binding_has_no_circle(repository: Path, configure: Callable[..., Path], tmp_path: Path) -> None:
    tree = configure("-DHAKMEM_BUILD_PYTHON=ON", f"-DPython_EXECUTABLE={sys.executable}")
    sources = repository / "bindings" / "python" / "src"
    assert binding_circles(sources, tree, "hakmem_python", tmp_path / "objects") == []


def test_lua_binding_has_no_circle(repository: Path, configure: Callable[..., Path], tmp_path: Path) -> None:
    """The loadable modules, which have every source, of all Luas that are here."""
    tree = configure("-DHAKMEM_BUILD_LUA=ON")
    sources = repository / "bindings" / "lua" / "src"
    targets = sorted(path.stem for path in tree.rglob("hakmem_module_lua*.dir"))
    assert targets
    violations = {line for target in targets for line in binding_circles(sources, tree, target, tmp_path / target)}
    assert sorted(violations) == []


def test_libc_binding_has_no_circle(repository: Path, configure: Callable[..., Path], tmp_path: Path) -> None:
    tree = configure("-DHAKMEM_BUILD_MALLOC=ON")
    sources = repository / "bindings" / "libc" / "src"
    assert binding_circles(sources, tree, "hakmem_malloc", tmp_path / "objects") == []


def test_every_binding_is_looked_at(repository: Path) -> None:
    assert {path.parent.name for path in (repository / "bindings").glob("*/src")} == {"python", "lua", "libc"}


@pytest.mark.parametrize("folder", ["swig", "bindings/python/src", "bindings/lua/src", "bindings/libc/src"])
def test_files_do_not_include_each_other(repository: Path, folder: str) -> None:
    """Functions of SWIG's headers are static: which of them a file uses is said by what it includes."""
    found = calls.includes_within(repository / folder)
    assert any(found.values()), "no #include was read"
    assert calls.circles(found) == []


# ---- Planted references ----

BOTTOM_UP = ["base", "low", "high"]


def compiled(folder: Path, sources: dict[str, str]) -> dict[str, Path]:
    objects = {}
    for file, text in sources.items():
        source = folder / file
        source.parent.mkdir(parents=True, exist_ok=True)
        source.write_text(text)
        objects[file] = source.with_suffix(".o")
        subprocess.run(["cc", "-O1", "-c", source, "-o", objects[file]], check=True)
    return objects


def violations_of(folder: Path, sources: dict[str, str], renamed: dict[str, str] | None = None) -> list[str]:
    found = calls.uses(compiled(folder, sources), renamed)
    return [*calls.upward(found, BOTTOM_UP), *calls.circles_in_layers(found)]


def caller(name: str, called: str) -> str:
    return f"void {called}(void);\nvoid {name}(void) {{ {called}(); {called}(); }}\n"


def test_what_is_allowed_is_not_found(tmp_path: Path) -> None:
    sources = {
        "high/a.c": caller("high_a", "low_b"),
        "low/b.c": caller("low_b", "low_c"),
        "low/c.c": "int errno_of_low; void low_c(void) { errno_of_low++; }\n",
        "low/d.c": caller("low_d", "free_of_nobody"),
    }
    assert violations_of(tmp_path, sources) == []


def test_equal_static_names_are_not_confused(tmp_path: Path) -> None:
    """The lower file calls a `step` of its own; one higher file has a static one, another a global one."""
    sources = {
        "high/a.c": "static int step(int x) { return x + 1; }\nint (*high_a(void))(int) { return step; }\n",
        "high/c.c": "int step(int x) { return x + 2; }\n",
        "low/b.c": "static int step(int x) { return x + 3; }\nint (*low_b(void))(int) { return step; }\n",
    }
    assert violations_of(tmp_path, sources) == []


@pytest.mark.parametrize(
    ("sources", "expected"),
    [
        pytest.param(
            {"low/b.c": caller("low_b", "high_a"), "high/a.c": "void high_a(void) {}\n"},
            ["low/b.c uses high_a of high/a.c, which is of a higher layer"],
            id="call upwards",
        ),
        pytest.param(
            {
                "low/b.c": "extern int high_count;\nint low_b(void) { return high_count; }\n",
                "high/a.c": "int high_count;\n",
            },
            ["low/b.c uses high_count of high/a.c, which is of a higher layer"],
            id="variable of a higher layer",
        ),
        pytest.param(
            {
                "low/b.c": "extern _Thread_local int high_mine;\nint low_b(void) { return high_mine; }\n",
                "high/a.c": "_Thread_local int high_mine;\n",
            },
            ["low/b.c uses high_mine of high/a.c, which is of a higher layer"],
            id="thread-local variable of a higher layer",
        ),
        pytest.param(
            {
                "low/b.c": "void high_a(void);\nvoid (*low_b(void))(void) { return high_a; }\n",
                "high/a.c": "void high_a(void) {}\n",
            },
            ["low/b.c uses high_a of high/a.c, which is of a higher layer"],
            id="address of a function of a higher layer",
        ),
        pytest.param(
            {
                "low/b.c": "__attribute__((weak)) void high_a(void);\nvoid low_b(void) { if (high_a) high_a(); }\n",
                "high/a.c": '__attribute__((visibility("hidden"))) void high_a(void) {}\n',
            },
            ["low/b.c uses high_a of high/a.c, which is of a higher layer"],
            id="weak reference to a hidden function",
        ),
        pytest.param(
            {"low/b.c": caller("low_b", "low_c"), "low/c.c": caller("low_c", "low_b")},
            ["a circle: low/b.c -[low_c]-> low/c.c -[low_b]-> low/b.c"],
            id="circle of two",
        ),
        pytest.param(
            {
                "low/b.c": caller("low_b", "low_c"),
                "low/c.c": caller("low_c", "low_d"),
                "low/d.c": caller("low_d", "low_b"),
                "low/e.c": caller("low_e", "low_b"),
            },
            ["a circle: low/b.c -[low_c]-> low/c.c -[low_d]-> low/d.c -[low_b]-> low/b.c"],
            id="circle of three, and one beside it",
        ),
        pytest.param(
            {
                "low/b.c": caller("low_b", "low_c"),
                "low/c.c": caller("low_c", "low_b") + caller("low_c2", "low_d"),
                "low/d.c": caller("low_d", "low_c"),
            },
            [
                "a circle: low/b.c -[low_c]-> low/c.c -[low_b]-> low/b.c",
                "a circle: low/c.c -[low_d]-> low/d.c -[low_c]-> low/c.c",
            ],
            id="two circles with a file in common",
        ),
        pytest.param(
            {"low/same.c": caller("low_b", "high_a"), "high/same.c": "void high_a(void) {}\n"},
            ["low/same.c uses high_a of high/same.c, which is of a higher layer"],
            id="files of the same name",
        ),
        pytest.param(
            {"misc/b.c": caller("low_b", "high_a"), "high/a.c": "void high_a(void) {}\n"},
            ["misc/b.c: misc is not a layer; known: base, low, high"],
            id="folder that is no layer",
        ),
    ],
)
def test_planted_reference_is_found(tmp_path: Path, sources: dict[str, str], expected: list[str]) -> None:
    assert violations_of(tmp_path, sources) == expected


def test_renamed_symbol_is_found_by_its_name_in_the_source(tmp_path: Path) -> None:
    (tmp_path / "symbols.h").write_text("#pragma redefine_extname high_a hak_core_high_a\n")
    renamed = symbols.renamed_symbols(tmp_path / "symbols.h")
    sources = {
        "low/b.c": '#include "../symbols.h"\n' + caller("low_b", "high_a"),
        "high/a.c": '#include "../symbols.h"\nvoid high_a(void);\nvoid high_a(void) {}\n',
    }
    assert violations_of(tmp_path, sources, renamed) == ["low/b.c uses high_a of high/a.c, which is of a higher layer"]
    assert calls.symbols_of(tmp_path / "high" / "a.o") == ({"hak_core_high_a"}, set())


def test_objects_of_sources_that_are_gone_are_left_out(tmp_path: Path) -> None:
    for object_name in ("heap/kept.c.o", "heap/gone.c.o", "platform/linux/deep.c.o"):
        path = tmp_path / "build/core/CMakeFiles/hakmem_objects.dir/src" / object_name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    for source in ("heap/kept.c", "platform/linux/deep.c"):
        path = tmp_path / "core/src" / source
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    found = calls.objects_of_core(tmp_path / "build", tmp_path / "core/src")
    assert list(found) == ["heap/kept.c", "platform/linux/deep.c"]
    assert calls.layer_of("platform/linux/deep.c") == "platform"


def test_planted_circle_of_includes_is_found(tmp_path: Path) -> None:
    (tmp_path / "languages").mkdir()
    (tmp_path / "all.i").write_text('%include "languages/a.i"\n')
    (tmp_path / "languages" / "a.i").write_text('%{\n#include "argument.h"\n%}\n')
    (tmp_path / "argument.h").write_text('/* #include "all.i" */\n#include <stdio.h>\n')
    assert calls.circles(calls.includes_within(tmp_path)) == []
    (tmp_path / "argument.h").write_text('  # include "all.i"\n')
    assert calls.circles(calls.includes_within(tmp_path)) == [
        "a circle: all.i -[#include]-> languages/a.i -[#include]-> argument.h -[#include]-> all.i"
    ]
