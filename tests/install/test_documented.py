"""What README and the CI file tell people to run is run: the quick part here, the rest by `make check-targets`."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import documented
import pytest
import yaml
from documented import CI_STEPS, HERE, LONG, README_LINES, TARGETS
from run_target import run_target

PASSING_SUITE = "print('testing something') print('final OK !!!')\n"


@pytest.fixture(scope="module")
def readme(repository: Path) -> str:
    return (repository / "README.md").read_text()


@pytest.fixture(scope="module")
def steps(repository: Path) -> list[str]:
    return documented.ci_steps(yaml.safe_load((repository / ".github/workflows/ci.yml").read_text()))


def test_every_target_has_a_row_and_every_row_a_target(repository: Path, readme: str) -> None:
    targets = documented.readme_targets(readme)
    assert sorted(targets) == sorted(TARGETS)
    makefiles = [(repository / name).read_text() for name in ("Makefile", "tests/hardening.mk")]
    assert sorted(documented.makefile_targets(*makefiles)) == sorted(TARGETS)


def test_every_step_of_the_ci_file_has_a_row_and_every_row_a_step(steps: list[str]) -> None:
    assert [step for step in steps if documented.row_of_step(step) is None] == []
    assert [words for words in CI_STEPS if not any(step.startswith(words) for step in steps)] == []


def test_every_line_of_readme_s_blocks_has_a_row_and_every_row_a_line(readme: str) -> None:
    lines = {line for block in documented.readme_blocks(readme) for line in block}
    assert sorted(lines) == sorted(README_LINES)


def test_checks_that_are_named_are_there(repository: Path) -> None:
    rows = [row.check for row in [*TARGETS.values(), *CI_STEPS.values()] if row.check not in (HERE, LONG)]
    named = [*rows, *README_LINES.values()]
    assert [check for check in named if not documented.names_what_is_there(repository, check)] == []
    # What runs all of them is run itself: the root is the CI file.
    assert "make check-targets" in (repository / ".github/workflows/ci.yml").read_text()


def test_packages_of_the_ci_file_are_those_that_are_looked_for(repository: Path, steps: list[str]) -> None:
    known = (repository / ".ci" / "check-system").read_text()
    begin = next(words for words in CI_STEPS if words.startswith("sudo apt-get"))
    packages = {word for step in steps if step.startswith(begin) for word in step[len(begin) :].split()}
    assert packages
    assert [name for name in packages if not re.search(rf"[ (]{re.escape(name)}[ )\n\"]", known)] == []


def test_what_has_no_row_is_found(repository: Path) -> None:
    text = "| `make demo`, `make new` | x |\n\n    pip install .   # word\n    new command\n\ntext\n\n    $ a\n    b\n"
    assert documented.readme_targets(text) == ["make demo", "make new"]
    assert documented.readme_blocks(f"```\n    printed\n```\n{text}") == [["pip install .", "new command"], ["$ a"]]
    assert documented.makefile_targets("new: check-core ## Help\nold:\n") == ["make new"]
    steps = [{"run": "${{ matrix.command }}"}, {"uses": "new/action@v4"}, {"run": "new\n  command"}]
    jobs = {"one": {"strategy": {"matrix": {"command": ["make new X=1", "make tidy"]}}, "steps": steps}}
    found = documented.ci_steps({"jobs": jobs})
    assert found == ["make new X=1", "make tidy", "new/action", "new command"]
    assert [documented.row_of_step(step) is None for step in found] == [True, False, True, True]
    for check in ("tests/install/test_documented.py::test_new", "Makefile: new words"):
        assert not documented.names_what_is_there(repository, check)


@pytest.mark.parametrize("target", [target for target, row in TARGETS.items() if row.check == HERE])
def test_target(repository: Path, tmp_path: Path, target: str) -> None:
    if "lua" in target and shutil.which("lua5.4") is None:
        pytest.skip("no lua5.4: apt-get install lua5.4 liblua5.4-dev")
    (tmp_path / "all.lua").write_text(PASSING_SUITE)
    result = run_target(TARGETS[target], repository, sys.executable, suite=str(tmp_path))
    assert result.outcome == "ok", result.output


def block_with(readme: str, line: str) -> list[str]:
    """The commands of the block that has this one."""
    (block,) = (block for block in documented.readme_blocks(readme) if any(text.startswith(line) for text in block))
    return block


def run_in_shell(lines: list[str], folder: Path, **variables: str) -> str:
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
    command = ["bash", "-euc", "\n".join(lines)]
    result = subprocess.run(command, cwd=folder, env=environment | variables, capture_output=True, text=True)
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


def test_c_library_as_readme_installs_it(repository: Path, tmp_path: Path, readme: str) -> None:
    for name in ("CMakeLists.txt", "LICENSE", "cmake", "core", "bindings"):
        (tmp_path / name).symlink_to(repository / name)
    shutil.copy(repository / "tests" / "install" / "consumer.c", tmp_path / "app.c")
    (tmp_path / "home").mkdir()
    build, _, _ = block_with(readme, "sudo cmake --install")  # the rest writes into /usr/local: not here
    install, *use = block_with(readme, "cmake --install")
    folder = '[ -e "$HOME/.local/lib" ] || ln -s lib64 "$HOME/.local/lib"'  # README: "lib64 on some systems"
    home = str(tmp_path / "home")
    run_in_shell([build, install, folder, *use], tmp_path, HOME=home, CMAKE_BUILD_PARALLEL_LEVEL="2")


def test_lua_as_readme_shows_it(repository: Path, readme: str) -> None:
    if shutil.which("lua5.4") is None:
        pytest.skip("no lua5.4: apt-get install lua5.4 liblua5.4-dev")
    lines = [line.removeprefix("$ ") for line in block_with(readme, "$ export")]
    told = run_in_shell(lines, repository, PYTHON=sys.executable)
    stock, ours = re.findall(r"MiB resident: .* peak, ([\d.]+) collected, ([\d.]+) half a second later", told)
    assert float(ours[1]) < 0.5 * float(stock[1])


def test_python_as_readme_shows_it(readme: str, tmp_path: Path) -> None:
    lines = [*block_with(readme, "hakmem.trim()"), "print(hakmem.is_enabled())"]
    (tmp_path / "program.py").write_text("\n".join(lines))
    assert run_in_shell([f'"{sys.executable}" program.py'], tmp_path) == "True\n"
