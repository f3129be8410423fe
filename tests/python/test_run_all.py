"""`hakmem run --all`: malloc is served, and the program, its environment and its children are what they would be."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from python_support import HAKMEM, clean_environment, output_of, run

RUN = [*HAKMEM, "run"]
ALL = [*RUN, "--all"]
LIBRARY = "libhakmem-malloc.so"
KEPT_MIB_MAX = 20
# What decides whether a process is served, without hakmem's help.
HAS_LIBRARY = f"any('{LIBRARY}' in line for line in open('/proc/self/maps'))"
SAY = f"""
import json, os, sys
shown = [name for name in os.environ if "HAKMEM" in name or name == "LD_PRELOAD"]
print(json.dumps([{HAS_LIBRARY}, shown]), flush=True)
"""
MALLOC = """
import ctypes, os, time
libc = ctypes.CDLL(None)
libc.malloc.restype, libc.malloc.argtypes, libc.free.argtypes = ctypes.c_void_p, [ctypes.c_size_t], [ctypes.c_void_p]
def resident_mib():
    return int(open("/proc/self/statm").read().split()[1]) * os.sysconf("SC_PAGESIZE") >> 20
"""


def said(command: list[str], **options: object) -> object:
    return json.loads(output_of(run(command, **options)))  # type: ignore[arg-type]


def test_malloc_and_objects_are_served_by_one_core() -> None:
    code = f"""{MALLOC}
import hakmem
from hakmem import _hakmem
before = hakmem.stats()["live_bytes"]
blocks = [libc.malloc(5000) for _ in range(1000)]
grown_bytes = hakmem.stats()["live_bytes"] - before
objects = [object() for _ in range(100_000)]
print(hakmem.is_enabled(), _hakmem.malloc_is_served(), grown_bytes >= 5_000_000, _hakmem.check())
"""
    assert output_of(run([*ALL, "-c", code])) == "True True True 0\n"
    assert output_of(run([*RUN, "-c", code])) == "True False False 0\n"


def test_what_malloc_held_goes_back() -> None:
    code = f"""{MALLOC}
import sys
before = resident_mib()
blocks = [libc.malloc(5000) for _ in range(20_000)]
for block in blocks: ctypes.memset(block, 1, 5000)
held = resident_mib() - before
for index, block in enumerate(blocks):
    if index % 100: libc.free(block)
blocks.clear()
end = time.monotonic() + float(sys.argv[1])
while resident_mib() - before >= {KEPT_MIB_MAX} and time.monotonic() < end:
    time.sleep(0.01)
print(held, resident_mib() - before)
"""
    held_mib, kept_mib = map(int, output_of(run([*ALL, "-c", code, "30"])).split())
    assert held_mib > 90
    assert kept_mib < KEPT_MIB_MAX
    held_mib, kept_mib = map(int, output_of(run([*RUN, "-c", code, "1"])).split())
    assert kept_mib > 90, "else the test shows nothing"


def test_wrong_options_are_named_once() -> None:
    """Two interpreters begin under --all, of which the first one is nobody's."""
    environment = clean_environment(HAKMEM_COUNTERS="x", HAKMEM_COUNTER="1")
    for command in (ALL, RUN):
        result = run([*command, "-c", "print(1)"], environment=environment)
        assert (result.returncode, result.stdout) == (0, "1\n")
        assert result.stderr.count("HAKMEM_COUNTERS=x is not one of 0,1") == 1
        assert result.stderr.count("\n") == 2


@pytest.mark.parametrize("former", [None, "", "libm.so.6"])
def test_environment_is_the_programs_own(former: str | None) -> None:
    environment = clean_environment(STRANGE="\udcff=\n", **({} if former is None else {"LD_PRELOAD": former}))
    code = """
import json, os, subprocess
of_child = subprocess.run(["env"], stdout=subprocess.PIPE).stdout
print(json.dumps([sorted(os.environ.items()), b"HAKMEM" in of_child, b"libhakmem" in of_child]))
"""
    assert said([*ALL, "-c", code], environment=environment) == said([*RUN, "-c", code], environment=environment)


def test_words_input_and_exit_code_are_the_programs_own(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text("import sys; print(sys.argv, sys.path[0], __name__, input()); sys.exit(7)\n")
    for words in ([str(script), "--all", "b c"], ["-"]):
        stdin = "heard\n" if words != ["-"] else script.read_text().replace("input()", "0")
        ours, stock = (run([*command, *words], stdin=stdin) for command in (ALL, [sys.executable]))
        assert (ours.returncode, ours.stdout, ours.stderr) == (stock.returncode, stock.stdout, stock.stderr)
        assert ours.returncode == 7


def test_installed_script_names_the_interpreter_as_before(tmp_path: Path) -> None:
    script = tmp_path / "hakmem"
    script.write_text(f"#!{sys.executable} -B\nimport sys\nfrom hakmem.cli import main\nsys.exit(main())\n")
    script.chmod(0o755)
    words = ["-c", "import sys; print(sys.orig_argv, sys.executable, sys.dont_write_bytecode)"]
    ours = output_of(run([str(script), "run", "--all", *words]))
    assert ours == output_of(run([str(script), "run", *words])).replace("'run', ", "'run', '--all', ")
    missing = str(tmp_path / "missing.py")
    assert run([str(script), "run", "--all", missing]).stderr == run([str(script), "run", missing]).stderr


def test_options_of_the_interpreter_survive() -> None:
    code = "import sys; print(sys.flags, sys.warnoptions, sys._xoptions)"
    flags = ["-b", "-O", "-W", "error::BytesWarning", "-X", "utf8=1"]
    stock = output_of(run([sys.executable, *flags, "-c", code]))
    assert output_of(run([sys.executable, *flags, "-m", "hakmem", "run", "--all", "-c", code])) == stock


def test_debug_hooks_keep_the_objects() -> None:
    """Their addresses lie inside blocks of malloc; freed as hakmem's own they ended the process."""
    code = "import hakmem, json, email.message; print(hakmem.is_enabled())"
    result = run([sys.executable, "-X", "dev", "-m", "hakmem", "run", "--all", "-c", code])
    assert (result.returncode, result.stdout) == (0, "False\n")
    assert result.stderr.startswith("hakmem: warning: its objects run without hakmem: Python's debug hooks")
    assert result.stderr.count("\n") == 1


def test_children_are_reached_only_on_request() -> None:
    child = f"import subprocess, sys; subprocess.run(['grep', '-c', '{LIBRARY}', '/proc/self/maps'])"
    assert output_of(run([*ALL, "-c", child])) == "0\n"
    assert int(output_of(run([*ALL, "--children", "-c", child]))) > 0


@pytest.mark.parametrize(
    "way",
    [
        "subprocess.run([sys.executable, '-c', say], check=True)",
        "subprocess.run([sys.executable, '-c', say], check=True, close_fds=False)",  # posix_spawn
        "subprocess.run([sys.executable, '-c', say], check=True, env={**os.environ, 'RUN_MAIN': 'true'})",
        "os.waitpid(os.spawnv(os.P_NOWAIT, sys.executable, ['python', '-c', say]), 0)",
        "os.execv(sys.executable, [sys.executable, '-c', say])",
        "os.fork() and (os.wait(), os._exit(0)); os.execvpe(sys.executable, [sys.executable, '-c', say], os.environ)",
    ],
)
def test_the_interpreter_stays_served_when_it_executes_itself(way: str) -> None:
    """Reloaders, and servers that replace themselves."""
    code = f"import os, subprocess, sys; say = {SAY!r}; {way}"
    assert said([*ALL, "-c", code]) == [True, []]
    assert said([*RUN, "-c", code]) == [False, []]


SAY_WHO_SERVES = f"from hakmem import _hakmem; print([{HAS_LIBRARY}, _hakmem.allocator_name()], flush=True)"


@pytest.mark.parametrize("options", [[], ["--children"]])
@pytest.mark.parametrize(
    "way",
    [
        "subprocess.run([sys.executable, '-c', say], check=True)",
        "subprocess.run([sys.executable, '-c', say], check=True, env={})",
        "os.execv(sys.executable, [sys.executable, '-c', say])",
        "subprocess.run([sys.executable, '-c', again, say], check=True)",
    ],
)
def test_objects_of_child_interpreters_are_served(options: list[str], way: str) -> None:
    again = "import subprocess, sys; subprocess.run([sys.executable, '-c', sys.argv[1]], check=True)"
    code = f"import os, subprocess, sys; say, again = {SAY_WHO_SERVES!r}, {again!r}; {way}"
    assert output_of(run([*ALL, *options, "-c", code])) == "[True, 'hakmem']\n"


def test_children_reach_interpreters_behind_a_shell() -> None:
    code = f"import os, sys; os.environ['say'] = {SAY_WHO_SERVES!r}; os.system(sys.executable + ' -c \"$say\"; true')"
    assert output_of(run([*ALL, "--children", "-c", code])) == "[True, 'hakmem']\n"
    assert output_of(run([*ALL, "-c", code])) == "[False, 'pymalloc']\n"


@pytest.mark.parametrize("name", ["HAKMEM", "HAKMEM_TINY_USE_SUPERSLAB"])
def test_objects_of_children_stay_where_hakmem_is_switched_off(name: str) -> None:
    variables = f"{{**os.environ, {name!r}: '0'}}"
    code = f"import os, subprocess, sys; subprocess.run([sys.executable, '-c', {SAY_WHO_SERVES!r}], env={variables})"
    assert output_of(run([*ALL, "--children", "-c", code])).endswith(" 'pymalloc']\n")


@pytest.mark.parametrize("name", ["HAKMEM", "HAKMEM_TINY_USE_SUPERSLAB"])
def test_interpreter_that_is_executed_with_hakmem_switched_off_is_not_served(name: str) -> None:
    variables = f"{{**os.environ, {name!r}: '0'}}"
    code = f"import os, subprocess, sys; subprocess.run([sys.executable, '-c', {SAY!r}], env={variables}, check=True)"
    assert said([*ALL, "-c", code]) == [False, [name]]


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_workers_of_multiprocessing_stay_served(method: str, tmp_path: Path) -> None:
    script = tmp_path / "workers.py"
    script.write_text(f"""
import multiprocessing
def is_served(_):
    kept = [object() for _ in range(1000)]
    import hakmem
    from hakmem import _hakmem
    return [{HAS_LIBRARY}, hakmem.is_enabled(), hakmem.enable(), _hakmem.allocator_name(), _hakmem.check()]
if __name__ == "__main__":
    with multiprocessing.get_context({method!r}).Pool(2) as pool:
        print(pool.map(is_served, range(2)))
""")
    one = [True, True, True, "hakmem", 0]
    assert output_of(run([*ALL, str(script)])) == f"{[one, one]}\n"


@pytest.mark.parametrize(
    ("flags", "variables"),
    [
        (["-X", "dev"], {}),
        ([], {"PYTHONMALLOC": "debug"}),
        ([], {"PYTHONMALLOC": "malloc"}),
        (["-X", "tracemalloc"], {}),
        ([], {"HAKMEM": "0"}),
    ],
)
def test_interpreter_that_executes_itself_may_have_other_allocators(
    flags: list[str], variables: dict[str, str]
) -> None:
    """Python puts them over the hooks that it begins with, or in their place."""
    then = "import gc, json, email.message, threading; kept = [object() for _ in range(10_000)]; gc.collect(); print(1)"
    code = f"""
import os, subprocess, sys
command = [sys.executable, *{flags!r}, "-c", {then!r}]
subprocess.run(command, env={{**os.environ, **{variables!r}}}, check=True)
"""
    assert output_of(run([*ALL, "-c", code])) == "1\n"


@pytest.mark.parametrize("name", ["HAKMEM", "HAKMEM_TINY_USE_SUPERSLAB"])
def test_switched_off_nothing_is_preloaded(name: str) -> None:
    environment = clean_environment(**{name: "0"})
    assert output_of(run([*ALL, "-c", f"print({HAS_LIBRARY})"], environment=environment)) == "False\n"
    result = run([*ALL, "--require", "-c", "print(1)"], environment=environment)
    assert (result.returncode, result.stdout) == (1, "")
    reason = f"malloc cannot be served, and --require was given: {name}=0 is set in the environment"
    assert result.stderr == f"hakmem: error: {reason}\n"


def test_where_the_library_is_lost_on_the_way_the_program_runs_once() -> None:
    """A tool that executes programs by one of its own, as valgrind does, takes the library out of the environment."""

    def second(*words: str) -> subprocess.CompletedProcess[str]:
        return run(["/bin/sh", "-c", '_HAKMEM_SECOND=$$ exec "$@"', "sh", *words])

    result = second(*ALL, "-c", SAY)
    assert (result.returncode, json.loads(result.stdout)) == (0, [False, []])
    assert result.stderr.startswith("hakmem: warning: malloc is not served: ")
    assert result.stderr.count("\n") == 1
    assert second(*ALL, "--require", "-c", SAY).returncode == 1


def test_children_without_all_is_bad_usage() -> None:
    result = run([*RUN, "--children", "-c", "pass"])
    assert result.returncode == 2
    assert result.stderr == "hakmem: error: --children goes with --all; give both, or neither\n"


def test_status_says_who_serves_malloc() -> None:
    code = "import json; from hakmem.cli.status import collect_status; print(collect_status()['malloc_is_served'])"
    assert output_of(run([*ALL, "-c", code])) == "True\n"
    assert output_of(run([*RUN, "-c", code])) == "False\n"
    assert "malloc           the C library's (hakmem run --all serves it)\n" in output_of(run([*HAKMEM, "status"]))


@pytest.mark.parametrize(("bytes_of_user", "changed"), [(None, {}), ("4194304", 4194304), ("0", {}), ("77", 77)])
def test_status_names_the_options_that_the_user_has_changed(bytes_of_user: str | None, changed: object) -> None:
    """The library has a default of its own where it serves malloc."""
    environment = clean_environment(**({} if bytes_of_user is None else {"HAKMEM_FIRST_THREAD_BYTES": bytes_of_user}))
    status = json.loads(output_of(run([*ALL, "-m", "hakmem", "status", "--json"], environment=environment)))
    assert status["changed_options"] == (changed and {"first_thread_bytes": {"value": changed, "default": 0}})


def test_stats_name_malloc() -> None:
    assert "  served                Python's objects, and malloc\n" in run([*ALL, "--stats", "-c", "pass"]).stderr
    assert "and malloc" not in run([*RUN, "--stats", "-c", "pass"]).stderr


def test_locale_that_python_sets_is_not_the_programs() -> None:
    environment = {name: value for name, value in clean_environment().items() if not name.startswith("LC_")}
    environment |= {"LANG": "C", "PYTHONCOERCECLOCALE": "1"}
    command = [*HAKMEM, "exec", "--", "env"]
    assert "LC_CTYPE" not in output_of(run(command, environment=environment))
