"""Where swapping is unsafe enable() refuses in one line and changes nothing; where it is safe it works."""

from __future__ import annotations

import json
import shutil
import subprocess
import sysconfig
from pathlib import Path

import pytest
from python_support import (
    FOREIGN_HOOK,
    HAKMEM,
    REPLACING_TOOL,
    clean_environment,
    json_of,
    output_of,
    run,
    run_code,
)

REFUSED = """
try:
    hakmem.enable()
except hakmem.UnsupportedError as error:
    reason = str(error)
else:
    raise SystemExit("not refused")
assert issubclass(hakmem.UnsupportedError, RuntimeError)
assert "\\n" not in reason and reason
assert not hakmem.is_enabled()
served = hakmem.stats()["served_requests"]
keep = [object() for _ in range(1000)]
assert hakmem.stats()["served_requests"] == served == 0
assert hakmem.stats()["passed_requests"] == 0, "the hooks are in place"
print(reason)
"""


def test_tracemalloc_started_before() -> None:
    reason = output_of(run_code("import hakmem, tracemalloc\ntracemalloc.start()" + REFUSED))
    assert "tracemalloc" in reason


def test_tracemalloc_by_option_of_the_interpreter() -> None:
    assert "tracemalloc" in output_of(run_code("import hakmem" + REFUSED, flags=("-X", "tracemalloc")))


def test_tracemalloc_stopped_again_is_no_obstacle() -> None:
    assert (
        json_of("""
        import json, hakmem, tracemalloc
        tracemalloc.start()
        try:
            hakmem.enable()
        except hakmem.UnsupportedError:
            tracemalloc.stop()
        print(json.dumps(hakmem.enable()))
    """)
        is True
    )


def test_tracemalloc_after_lies_on_top_and_may_stop() -> None:
    """While it is on top, enable and disable only flip a flag: a second installation would end in a loop."""
    peak, served_while_off, served_while_on, blocks = json_of("""
        import json, hakmem, tracemalloc
        hakmem.enable()
        first = [bytes(100) for _ in range(1000)]
        tracemalloc.start()
        second = [bytes(100) for _ in range(1000)]
        hakmem.disable()
        served = hakmem.stats()["served_requests"]
        third = [bytes(100) for _ in range(1000)]
        served_while_off = hakmem.stats()["served_requests"] - served
        hakmem.enable()
        served = hakmem.stats()["served_requests"]
        fourth = [bytes(100) for _ in range(1000)]
        served_while_on = hakmem.stats()["served_requests"] - served
        peak = tracemalloc.get_traced_memory()[1]
        del first[::2], second[::2], third[::2], fourth[::2]
        tracemalloc.stop()
        assert hakmem.is_enabled()
        before = hakmem.stats()["live_blocks"]
        del first, second, third
        fifth = [bytes(100) for _ in range(1000)]
        print(json.dumps([peak, served_while_off, served_while_on, before]))
    """)
    assert peak >= 3000 * 100
    assert served_while_off == 0
    assert served_while_on >= 1000
    assert blocks >= 1500


def test_enabling_again_below_tracemalloc_is_in_force() -> None:
    """Refused is the first installation; what was installed before tracemalloc stays below it and comes back."""
    again, served, served_later = json_of("""
        import json, hakmem, tracemalloc
        hakmem.enable()
        tracemalloc.start()
        hakmem.disable()
        again = [hakmem.enable(), hakmem.is_enabled(), hakmem._hakmem.obstacle()]
        def served_by_hakmem():
            before = hakmem.stats()["served_requests"]
            keep = [bytes(100) for _ in range(1000)]
            return hakmem.stats()["served_requests"] - before
        served = served_by_hakmem()
        keep = [bytes(100) for _ in range(1000)]
        hakmem.disable()
        tracemalloc.stop()
        again.append(hakmem.enable())
        del keep
        print(json.dumps([again, served, served_by_hakmem()]))
    """)
    assert again == [True, True, None, True]
    assert served >= 1000
    assert served_later >= 1000


def test_foreign_hook_is_refused() -> None:
    code = "import hakmem" + FOREIGN_HOOK + "table = get(OBJ); table.ctx = 1; put(OBJ, table)" + REFUSED
    assert "another tool" in output_of(run_code(code))


def test_foreign_hook_that_replaced_ours_is_noticed() -> None:
    """A tool that was there first wrote back what it found: frees of our blocks would go wrong, so none may exist."""
    reason = output_of(
        run_code(f"""
import hakmem
{FOREIGN_HOOK}
stock = [get(MEM), get(OBJ)]
hakmem.disable()
hakmem.enable()
hakmem.disable()
ours = [get(MEM), get(OBJ)]
for allocator in stock:
    allocator.ctx = 1
put(MEM, stock[0]); put(OBJ, stock[1])
try:
    hakmem.enable()
    reason = "not noticed"
except hakmem.UnsupportedError as error:
    reason = str(error)
enabled = hakmem.is_enabled()
put(MEM, ours[0]); put(OBJ, ours[1])
assert not enabled
print(reason)
""")
    )
    assert "replaced" in reason


@pytest.mark.parametrize("words", [["run"], ["run", "--all"]], ids=" ".join)
@pytest.mark.parametrize("domains", ["mem,obj", "raw,mem,obj"])
def test_tool_that_replaced_one_domain_is_noticed(words: list[str], domains: str, tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(REPLACING_TOOL)  # before hakmem is enabled
    code = """
import hakmem, sitecustomize
ours = sitecustomize.get(sitecustomize.OBJ)
assert hakmem.enable()
sitecustomize.put(sitecustomize.OBJ, sitecustomize.tool)
try:
    reason = hakmem.enable()
except hakmem.UnsupportedError as error:
    reason = str(error)
sitecustomize.put(sitecustomize.OBJ, ours)
print(hakmem.is_enabled(), hakmem.enable(), reason)
"""
    environment = clean_environment(PYTHONPATH=str(tmp_path), HAKMEM_DOMAINS=domains)
    assert output_of(run([*HAKMEM, *words, "-c", code], environment=environment)) == (
        "True True another tool has replaced CPython's allocators since hakmem was enabled; stop it and try again\n"
    )


def test_table_reset_to_stock_is_hooked_again() -> None:
    """What a second Py_Initialize does from 3.12 on."""
    assert json_of(f"""
import json, hakmem
{FOREIGN_HOOK}
stock = [get(RAW), get(MEM), get(OBJ)]
hakmem.enable()
hakmem.disable()
for domain, allocator in enumerate(stock):
    put(domain, allocator)
again = hakmem.enable()
served = hakmem.stats()["served_requests"]
keep = [bytes(100) for _ in range(1000)]
print(json.dumps([again, hakmem.stats()["served_requests"] - served >= 1000]))
""") == [True, True]


def test_free_threaded_build_is_refused(tmp_path: Path) -> None:
    """Seen by a function that only such builds have; here a library brings one."""
    compiler = shutil.which((sysconfig.get_config_var("CC") or "cc").split()[0]) or shutil.which("cc")
    if compiler is None:
        pytest.skip("no C compiler")
    source = tmp_path / "marker.c"
    library = tmp_path / "marker.so"
    source.write_text("void _Py_DecRefShared(void *object) { (void)object; }\n")
    subprocess.run([compiler, "-shared", "-fPIC", "-o", str(library), str(source)], check=True)
    environment = clean_environment(LD_PRELOAD=str(library))
    assert "free-threaded" in output_of(run_code("import hakmem" + REFUSED, environment=environment))


def test_pypy_is_refused_in_pure_python() -> None:
    assert json_of("""
        import json, sys
        sys.modules["hakmem._hakmem"] = None
        sys.implementation.name = "pypy"
        import hakmem
        seen = [hakmem.is_enabled(), hakmem.trim()]
        for function in (hakmem.enable, hakmem.stats, lambda: hakmem.get_option('thp')):
            try:
                function()
            except hakmem.UnsupportedError as error:
                seen.append(str(error).split()[0])
        hakmem.disable()
        print(json.dumps(seen))
    """) == [False, 0, "pypy", "pypy", "pypy"]


@pytest.mark.parametrize(
    "words", [["run", "--stats", "-c", "import sys; print(sys.argv)", "x"], ["status"], ["options"]]
)
def test_the_command_on_pypy(words: list[str]) -> None:
    result = run_code(
        f"""
        import sys
        sys.modules["hakmem._hakmem"] = None
        sys.implementation.name = "pypy"
        from hakmem.cli import main
        sys.exit(main({words!r}))
        """
    )
    assert result.returncode == 0, result.stderr
    if words[0] == "run":
        assert result.stdout == "['-c', 'x']\n"
        assert "pypy" in result.stderr
    elif words[0] == "status":
        assert "no: pypy" in result.stdout


def test_a_broken_installation_of_cpython_is_not_taken_for_pypy() -> None:
    result = run_code("import sys; sys.modules['hakmem._hakmem'] = None; import hakmem")
    assert "ImportError" in result.stderr or "ModuleNotFoundError" in result.stderr


UNDERNEATH = [
    ({"PYTHONMALLOC": "debug"}, ()),
    ({"PYTHONMALLOC": "malloc"}, ()),
    ({"PYTHONMALLOC": "malloc_debug"}, ()),
    ({"PYTHONMALLOC": "pymalloc"}, ()),
    ({"PYTHONMALLOC": "pymalloc_debug"}, ()),
    ({"PYTHONMALLOC": "mimalloc"}, ()),
    ({}, ("-X", "dev")),
]


@pytest.mark.parametrize(("variables", "flags"), UNDERNEATH)
def test_allocators_of_cpython_underneath(variables: dict[str, str], flags: tuple[str, ...]) -> None:
    environment = clean_environment(**variables)
    if run_code("pass", environment=environment).returncode != 0:
        pytest.skip("this Python has no such allocator")
    result = run_code(
        """
        before = [bytes(size) for size in range(2000)]
        import hakmem
        hakmem.enable()
        ours = [bytes(size) for size in range(2000)]
        grown = bytearray(b"x")
        hakmem.disable()
        del before
        grown += bytes(100000)
        after = [bytes(size) for size in range(2000)]
        del ours[::2]
        hakmem.enable()
        del after
        assert grown[0] == ord("x") and len(grown) == 100001
        print(hakmem.stats()["served_requests"] > 2000)
        """,
        flags=flags,
        environment=environment,
    )
    assert output_of(result) == "True\n"


def test_status_names_the_hook_that_is_in_place() -> None:
    """Ours by its name, also while it only passes on; another tool's is not known by name."""
    seen = json_of("""
        import json, hakmem, tracemalloc
        from hakmem.cli.status import collect_status, status_text
        def allocator():
            status = collect_status()
            line = next(line for line in status_text(status).splitlines() if line.startswith("allocator"))
            return [status["allocator"], line.split(maxsplit=1)[1]]
        seen = [allocator()]
        hakmem.enable()
        seen.append(allocator())
        hakmem.disable()
        seen.append(allocator())
        tracemalloc.start()
        seen.append(allocator())
        tracemalloc.stop()
        seen.append(allocator())
        print(json.dumps(seen))
    """)
    ours = ["hakmem", "hakmem"]
    assert seen == [["pymalloc", "pymalloc"], ours, ours, [None, "a hook of a tool"], ours]


def test_status_tells_the_reason() -> None:
    result = run([HAKMEM[0], "-X", "tracemalloc", *HAKMEM[1:], "status", "--json"])
    status = json.loads(output_of(result))
    assert status["possible"] is False
    assert "tracemalloc" in status["reason"]
