"""The startup file, in a virtual environment of its own that sees this hakmem."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import textwrap
from pathlib import Path

import hakmem
import pytest
from hakmem import startup_files
from python_support import clean_environment, output_of, run

SAY = "import sys; print('hakmem' in sys.modules and sys.modules['hakmem'].is_enabled())"
SPAWN = """
import multiprocessing, subprocess, sys
def enabled(_):
    return "hakmem" in sys.modules and sys.modules["hakmem"].is_enabled()
if __name__ == "__main__":
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        print(pool.map(enabled, [0]))
    print(subprocess.check_output([sys.executable, "-c", "import hakmem; print(hakmem.is_enabled())"], text=True))
"""


INSTALLED = {*startup_files.FILES, f"{startup_files.NAME}.{sys.implementation.cache_tag}.pyc"}


class Environment:
    """A virtual environment and how to run things in it."""

    def __init__(self, path: Path) -> None:
        command = [sys.executable, "-m", "venv", "--system-site-packages", "--without-pip", str(path)]
        subprocess.run(command, check=True, env=clean_environment())
        self.python = str(path / "bin" / "python")
        code = "import sysconfig; print(sysconfig.get_path('purelib'))"
        self.site = Path(output_of(run([self.python, "-c", code])).strip())
        # What pip would do, without another copy: this hakmem, and nothing else of where it lies.
        (self.site / "hakmem").symlink_to(Path(hakmem.__file__).parent, target_is_directory=True)

    def run(self, *words: str, **variables: str) -> subprocess.CompletedProcess[str]:
        return run([self.python, *words], environment=clean_environment(**variables))

    def uninstall_hakmem(self, leave_directory: bool) -> None:
        (self.site / "hakmem").unlink()
        if leave_directory:  # as pip does where somebody put a file of his own into it
            (self.site / "hakmem").mkdir()

    def files(self) -> set[str]:
        return {path.name for path in self.site.glob("**/hakmem_startup*")}


@pytest.fixture
def venv(tmp_path: Path) -> Environment:
    return Environment(tmp_path / "venv")


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Environment:
    environment = Environment(tmp_path_factory.mktemp("startup") / "venv")
    output_of(environment.run("-m", "hakmem", "install-startup"))
    return environment


def test_install_and_uninstall_leave_what_they_found(venv: Environment) -> None:
    assert venv.files() == set()
    for _ in range(2):
        assert "HAKMEM=1" in output_of(venv.run("-m", "hakmem", "install-startup"))
        assert venv.files() == INSTALLED
    assert output_of(venv.run("-c", SAY, HAKMEM="1")) == "True\n"
    assert run([venv.python, "-c", SAY], environment={**os.environ, "HAKMEM": "1"}).stdout == "True\n"
    assert output_of(venv.run("-m", "hakmem", "uninstall-startup")).startswith("removed")
    assert venv.files() == set()
    assert output_of(venv.run("-m", "hakmem", "uninstall-startup")).startswith("nothing to remove")
    assert output_of(venv.run("-c", SAY, HAKMEM="1")) == "False\n"


def test_an_interpreter_start_compiles_nothing(installed: Environment) -> None:
    code = f"import {startup_files.NAME} as startup, os; print(os.path.exists(startup.__cached__))"
    assert output_of(installed.run("-c", code, HAKMEM="1", PYTHONDONTWRITEBYTECODE="1")) == "True\n"


def test_installing_the_package_alone_changes_nothing(venv: Environment) -> None:
    assert output_of(venv.run("-c", SAY, HAKMEM="1")) == "False\n"


@pytest.mark.parametrize(
    ("variables", "enabled"), [({}, False), ({"HAKMEM": ""}, False), ({"HAKMEM": "0"}, False), ({"HAKMEM": "1"}, True)]
)
def test_only_one_enables(installed: Environment, variables: dict[str, str], enabled: bool) -> None:
    assert output_of(installed.run("-c", SAY, **variables)) == f"{enabled}\n"


def test_without_the_variable_nothing_of_hakmem_is_imported(installed: Environment) -> None:
    code = "import sys; print([name for name in sys.modules if 'hakmem' in name])"
    # Python 3.15 imports the module with the callable that the .start file names, to find out that it is to do nothing.
    expected = [] if sys.version_info < (3, 15) else ["hakmem_startup"]
    for value in ("", "0"):
        assert output_of(installed.run("-c", code, HAKMEM=value)) == f"{expected}\n"
    assert output_of(installed.run("-c", code)) == f"{expected}\n"


@pytest.mark.parametrize("value", ["2", "yes", "true", " 1"])
def test_bad_value_is_one_warning(installed: Environment, value: str) -> None:
    result = installed.run("-c", SAY, HAKMEM=value)
    assert (result.returncode, result.stdout) == (0, "False\n")
    warning = f"hakmem: warning: HAKMEM={value} is not 0 or 1; the startup file enables nothing\n"
    assert result.stderr == warning
    result = installed.run("-m", "hakmem", "run", "-c", SAY, HAKMEM=value)
    assert (result.returncode, result.stdout, result.stderr) == (0, "True\n", warning)


def test_refused_is_one_warning(installed: Environment) -> None:
    result = installed.run("-X", "tracemalloc", "-c", SAY, HAKMEM="1")
    assert (result.returncode, result.stdout) == (0, "False\n")
    assert re.fullmatch(r"hakmem: warning: [^\n]*tracemalloc[^\n]*\n", result.stderr)


@pytest.mark.parametrize("leave_directory", [False, True])
def test_files_left_behind_do_and_say_nothing(venv: Environment, leave_directory: bool) -> None:
    output_of(venv.run("-m", "hakmem", "install-startup"))
    venv.uninstall_hakmem(leave_directory)
    for value in ("1", "0", "x"):
        assert output_of(venv.run("-c", "pass", HAKMEM=value)) == ""
        # Python 3.15 calls what the .start file names.
        assert output_of(venv.run("-c", "import hakmem_startup; hakmem_startup.start()", HAKMEM=value)) == ""


def test_start_file_names_a_callable_that_works(installed: Environment) -> None:
    module, _, name = (installed.site / "hakmem_startup.start").read_text().strip().partition(":")
    code = f"import {module}, hakmem; {module}.{name}(); {module}.{name}(); print(hakmem.is_enabled())"
    assert output_of(installed.run("-c", code)) == "False\n"
    assert output_of(installed.run("-c", code, HAKMEM="1")) == "True\n"


def test_run_reaches_its_children(installed: Environment, tmp_path: Path) -> None:
    script = tmp_path / "spawn.py"
    script.write_text(textwrap.dedent(SPAWN))
    assert output_of(installed.run("-m", "hakmem", "run", str(script))).split() == ["[True]", "True"]
    assert output_of(installed.run("-m", "hakmem", "run", str(script), HAKMEM="0")).split() == ["[False]", "False"]
    assert output_of(installed.run(str(script))).split() == ["[False]", "False"]


def test_status_shows_the_file(installed: Environment, venv: Environment) -> None:
    assert str(installed.site / "hakmem_startup.pth") in output_of(installed.run("-m", "hakmem", "status"))
    assert "install-startup" in output_of(venv.run("-m", "hakmem", "status"))


def test_isolated_and_siteless_interpreters_start(installed: Environment) -> None:
    assert output_of(installed.run("-I", "-c", SAY, HAKMEM="1")) == "True\n"
    assert output_of(installed.run("-S", "-c", SAY, HAKMEM="1")) == "False\n"


@pytest.mark.parametrize(
    ("words", "user_site", "advice"),
    [
        (["install-startup"], True, "; use --user, or a virtual environment of your own"),
        (["install-startup"], False, "; do it as its owner, or in a virtual environment of your own"),
        (["install-startup", "--user"], True, ""),
        (["uninstall-startup"], True, "; do it as its owner"),
        (["uninstall-startup"], False, "; do it as its owner"),
    ],
)
def test_a_directory_that_cannot_be_written_is_named(
    venv: Environment, words: list[str], user_site: bool, advice: str
) -> None:
    """A file stands where the directory should be, which stops root, too."""
    code = f"""
        import site, sys, sysconfig
        site.ENABLE_USER_SITE = {user_site}
        directory = __file__ + "/site-packages"
        site.getusersitepackages = lambda: directory
        sysconfig.get_path = lambda name: directory if name == "purelib" else None
        from hakmem.cli import main
        sys.exit(main({words}))
    """
    script = venv.site / "blocked.py"
    script.write_text(textwrap.dedent(code))
    result = venv.run(str(script))
    assert (result.returncode, result.stdout) == (1, "")
    said = f"hakmem: error: {script}/site-packages cannot be written: Not a directory{advice}\n"
    assert result.stderr == said


def test_user_site(tmp_path: Path) -> None:
    variables = {"PYTHONUSERBASE": str(tmp_path)}
    enabled = output_of(run([sys.executable, "-c", "import site; print(site.ENABLE_USER_SITE)"])).strip() == "True"
    result = run(
        [sys.executable, "-m", "hakmem", "install-startup", "--user"], environment=clean_environment(**variables)
    )
    found = {path.name for path in tmp_path.glob("**/hakmem_startup.*")}
    if enabled:
        assert result.returncode == 0
        assert found == INSTALLED
    else:
        assert result.returncode == 1
        assert "user" in result.stderr
        assert found == set()
