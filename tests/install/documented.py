"""Every command that README and the CI file tell of, beside the check that runs it; one without a row is a failure.

`check` is HERE (test_documented.py runs it, in every `make test`), LONG (`make check-targets` runs it), or names what
runs it otherwise: a test, or a file and the words in it that do.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HERE = "here"
LONG = "make check-targets"
OUT = "--out build/checked"  # not where a developer's own figures are


@dataclass(frozen=True)
class Row:
    """`run` is the form that fits into a test; `says` is in what it prints; `seconds` is what it may take at most."""

    check: str
    run: str = ""
    says: str = ""
    seconds: int = 240


# The column `target` of README's table.
TARGETS = {
    "make demo": Row(HERE, "make demo SHORT=1", r"hakmem / stock +\d.*Survivors: "),
    "make test": Row(".ci/run: exec make test"),
    "make test-core": Row("Makefile: $(MAKE) --no-print-directory test-core"),
    "make test-python": Row("Makefile: $(MAKE) --no-print-directory test-python"),
    "make lint": Row(".ci/run: make lint"),
    "make lua": Row(HERE, "make lua", r"\nLUA_CPATH=/[^\n]+/\?\.so;;\n$"),
    "make peer-lua": Row(HERE, "make peer-lua TESTES={suite}", "the suite passes on hakmem as it does on stock"),
    "make wheel": Row(LONG, "make wheel", r" passed[^\n]* in [^\n]+\n$", 1200),
    "make bench-rss": Row(
        HERE, f'make bench-rss RUNS=1 BENCH_ARGS="--scale 0.02 --workloads floats --peers hakmem {OUT}"', "rss.json"
    ),
    "make bench-process": Row(
        LONG, f'make bench-process SHORT=1 BENCH_ARGS="--kept 1 --peers hakmem-all {OUT}"', "process.json", 900
    ),
    "make bench-arrays": Row(
        LONG,
        f'make bench-arrays SHORT=1 BENCH_ARGS="--workloads memory,times --peers hakmem {OUT}"',
        "arrays.json",
        900,
    ),
    "make bench-churn": Row(
        HERE,
        'make bench-churn RUNS=1 BENCH_ARGS="--scale 0.02 --peers hakmem'
        f" --workloads 'json document,gunicorn worker,blocks of 5 to 25 MiB' {OUT}\"",
        "churn.json",
    ),
    "make bench-lua": Row(
        HERE, f'make bench-lua RUNS=1 BENCH_ARGS="--scale 0.02 --workloads tables --peers hakmem {OUT}"', "lua.json"
    ),
    "make bench-speed": Row(
        HERE, f'make bench-speed SHORT=1 BENCH_ARGS="--parts threads --peers hakmem {OUT}"', "speed.json"
    ),
    "make bench-trace": Row(HERE, f'make bench-trace BENCH_ARGS="--scale 0.02 {OUT}"', "trace.json"),
    "make bench-tuning": Row(HERE, f'make bench-tuning BENCH_ARGS="--programs floats {OUT}"', "tuning.json"),
    "make fuzz": Row(LONG, "make fuzz SECONDS=10", "fuzz: .* nothing found", 600),
    "make sanitize": Row(LONG, "make sanitize SECONDS=20", "sanitize: thread: .* nothing found", 1200),
    "make planted": Row(LONG, "make planted QUICK=1 ONLY=purge-loses-errno", "planted: 1 of 1 found", 1200),
    "make coverage": Row(LONG, "make coverage", r"core/src +\d+/\d+ [^\n]+ %\n$", 900),
    "make tidy": Row(LONG, "make tidy", "", 900),
    "make model": Row(LONG, "make model", "All models hold, .* were caught", 1200),
    "make test-musl": Row(LONG, "make test-musl", "100% tests passed", 900),
    "make test-aarch64": Row(LONG, "make test-aarch64", "100% tests passed", 1800),
    "make peer-cpython": Row(HERE, 'make peer-cpython PEER_ARGS="--only test_list"', "not expected: 0"),
    "make peer-packages": Row(
        LONG,
        'make peer-packages PEER_ARGS="--packages numpy lxml --only test_loadtxt test_etree."',
        r"numpy .* not expected: 0\n.*lxml [^\n]+ not expected: 0\n$",
        900,
    ),
    "make test-programs": Row(LONG, "make test-programs ROUNDS=2 FORKS=100", r" passed[^\n]* in [^\n]+\n$", 900),
    "make check-targets": Row(".github/workflows/ci.yml: run: make check-targets"),
    "make clean": Row("tests/install/test_makefile.py::test_help_and_clean_need_no_python"),
    "make help": Row("tests/install/test_makefile.py::test_help_and_clean_need_no_python"),
}

# Steps of the CI file that are no make target: the first words of each.
CI_STEPS = {
    ".ci/run": Row(".github/workflows/ci.yml: run: .ci/run"),
    "sudo apt-get update && sudo apt-get install -y": Row(
        "tests/install/test_documented.py::test_packages_of_the_ci_file_are_those_that_are_looked_for"
    ),
    "pypa/cibuildwheel": Row("tests/install/test-wheel: settings[0]"),
    "actions/checkout": Row(".github/workflows/ci.yml: actions/checkout"),
    "actions/setup-python": Row(".github/workflows/ci.yml: actions/setup-python"),
    "actions/upload-artifact": Row(".github/workflows/ci.yml: actions/upload-artifact"),
}

C_BLOCK = "tests/install/test_documented.py::test_c_library_as_readme_installs_it"
LUA_BLOCK = "tests/install/test_documented.py::test_lua_as_readme_shows_it"
PYTHON_BLOCK = "tests/install/test_documented.py::test_python_as_readme_shows_it"
EXEC = "tests/python/test_exec_command.py::test_program_is_served_and_its_environment_is_its_own"
STARTUP = "tests/python/test_startup.py::test_install_and_uninstall_leave_what_they_found"

# Lines of README's blocks, without their comments.
README_LINES = {
    "git clone ... && cd hakmem": ".github/workflows/ci.yml: actions/checkout",
    "make demo": "tests/install/documented.py: make demo",
    "pip install .": "Makefile: install --force-reinstall --no-deps .",
    "hakmem run script.py arguments...": "tests/python/test_run_command.py::test_options_end_where_the_program_begins",
    "hakmem run -m module arguments...": "tests/python/test_run_command.py::test_options_end_where_the_program_begins",
    "hakmem run --stats script.py": "tests/python/test_run_command.py::test_stats_prints_the_table_at_exit",
    "hakmem run --all script.py arguments...": "tests/python/test_run_all.py::test_what_malloc_held_goes_back",
    "hakmem exec -- ruby app.rb": EXEC,
    "import hakmem": PYTHON_BLOCK,
    "hakmem.enable()": PYTHON_BLOCK,
    "hakmem.trim()": PYTHON_BLOCK,
    "hakmem.stats()": PYTHON_BLOCK,
    "hakmem install-startup": STARTUP,
    "HAKMEM=1 gunicorn ...": "tests/python/test_startup.py::test_only_one_enables",
    "hakmem compare script.py arguments...": (
        "tests/measure/test_compare.py::test_report_of_a_program_that_hakmem_helps"
    ),
    "hakmem record -- command": "tests/measure/test_record.py::test_command_with_marks_and_collector_runs",
    "hakmem doctor PID": "tests/measure/test_doctor.py::test_fragmentation_of_pymalloc_from_outside",
    '$ export "$(make lua | tail -n 1)"': LUA_BLOCK,
    "$ cd bindings/lua/example": LUA_BLOCK,
    "$ lua5.4 records.lua": LUA_BLOCK,
    "$ lua5.4 -l hakmem records.lua": LUA_BLOCK,
    "cmake -S . -B build/core && cmake --build build/core": C_BLOCK,
    "sudo cmake --install build/core && sudo ldconfig": C_BLOCK,
    "cc app.c $(pkg-config --cflags --libs hakmem) -o app && ./app": C_BLOCK,
    'cmake --install build/core --prefix "$HOME/.local"': C_BLOCK,
    'export PKG_CONFIG_PATH="$HOME/.local/lib/pkgconfig"': C_BLOCK,
    "cc app.c $(pkg-config --cflags --libs hakmem) -o app": C_BLOCK,
    'LD_LIBRARY_PATH="$HOME/.local/lib" ./app': C_BLOCK,
    "HAKMEM=0 ...": "tests/python/test_run_command.py::test_variable_zero_wins_silently_unless_required",
    "hakmem.disable()": "tests/python/test_api.py::test_enable_twice_disable_enable",
    "hakmem uninstall-startup": STARTUP,
    "pip uninstall hakmem": "tests/python/test_startup.py::test_files_left_behind_do_and_say_nothing",
}


def readme_targets(readme: str) -> list[str]:
    """The targets in the rows of the table."""
    cells = re.findall(r"^\| (`make [^|]+) \|", readme, re.MULTILINE)
    return [target for cell in cells for target in re.findall(r"`(make [a-z0-9-]+)`", cell)]


def makefile_targets(*texts: str) -> list[str]:
    """Those that `make help` lists."""
    return [f"make {name}" for text in texts for name in re.findall(r"^([a-z0-9-]+):.*## ", text, re.MULTILINE)]


def readme_blocks(readme: str) -> list[list[str]]:
    """The commands of each indented block, without comments, and without what they print where some begin with a $."""
    text = re.sub(r"^```.*?^```$", "", readme, flags=re.MULTILINE | re.DOTALL)
    blocks = []
    for block in re.findall(r"(?:^    .*\n|^\n(?=    ))+", text, re.MULTILINE):
        lines = [re.sub(r"  +#.*$", "", line[4:]) for line in block.split("\n") if line.strip()]
        has_prompt = any(line.startswith("$ ") for line in lines)
        blocks.append([line for line in lines if line.startswith("$ ") or not has_prompt])
    return blocks


def ci_steps(document: Any) -> list[str]:
    """What each job runs or uses, with the commands of its matrix in their places."""
    found = []
    for job in document["jobs"].values():
        commands = job.get("strategy", {}).get("matrix", {}).get("command", [])
        for step in job["steps"]:
            text = step.get("run") or step["uses"].partition("@")[0]
            found += commands if "matrix.command" in text else [" ".join(text.split())]
    return found


def row_of_step(step: str) -> Row | None:
    """That of the make target, or of the first words."""
    if step.startswith("make "):
        return TARGETS.get(" ".join(step.split()[:2]))
    return next((row for words, row in CI_STEPS.items() if step.startswith(words)), None)


def names_what_is_there(repository: Path, check: str) -> bool:
    """Whether a test, or a file with these words, is where a row says."""
    path, _, name = check.partition("::")
    if name:
        return f"\ndef {name}(" in (repository / path).read_text()
    path, _, text = check.partition(": ")
    return text in (repository / path).read_text()
