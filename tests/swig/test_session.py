"""One scripted session in every language: the same answers, the same JSON, the same errors.

And two bindings in a host with a core of its own. Everything is built by tests/swig/CMakeLists.txt into build/swig.
"""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hakmem import control

# Language: (interpreter, its module below the build folder, Debian's package for both).
LANGUAGES = {
    "python": (sys.executable, "helper_python/_helper.so", "python3-dev"),
    "lua": ("lua5.4", "hakmem/bindings/lua/lua54/hakmem.so", "lua5.4 liblua5.4-dev"),
    "ruby": ("ruby", "hakmem/swig/ruby/hakmem.so", "ruby-dev"),
    "tcl": ("tclsh", "hakmem/swig/tcl/hakmem.so", "tcl-dev"),
}
SCRIPTS = {"python": "session.py", "lua": "session.lua", "ruby": "session.rb", "tcl": "session.tcl"}

# Tcl has no other values than texts: a list is one, and a float.
NOT_IN_TCL = {
    "error list as a value",
    "error list as a name",
    "error list as a heap",
    "error limit that is not whole",
    "error value that is not whole",
    "error limit that is not a number",
}
DOCUMENTS = ("stats json", "options json")


def run(*command: str | Path) -> dict[str, str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("HAKMEM")}
    result = subprocess.run([str(word) for word in command], capture_output=True, text=True, env=environment)
    assert result.returncode == 0, result.stderr
    assert result.stderr == ""
    return dict(line.split("\t", 1) for line in result.stdout.splitlines())


def session(build: Path, language: str) -> dict[str, str]:
    interpreter, module, package = LANGUAGES[language]
    found = shutil.which(interpreter)
    if found is None or not (build / module).exists():
        pytest.skip(f"no {interpreter}, or no headers of it: apt-get install {package}")
    return run(found, Path(__file__).with_name(SCRIPTS[language]), build)


def shape(value: Any) -> Any:
    """Keys and types, without the values."""
    if isinstance(value, dict):
        return {key: shape(item) for key, item in value.items()}
    if isinstance(value, list):
        return [shape(item) for item in value[:1]]
    return type(value).__name__


EXPECTED = {
    "number": "125",
    "number is": "integer",
    "text": "auto",
    "helper's own core serves": "0",
    "limit that is a whole float": str(1 << 39),
    "heap": "1",
    "used": "102400 100 1099511627776",
    "used is": "integer",
    "live is": "integer",
    "classes": "1",
    "options": "never auto always",
    "error unknown option is set": "there is no option 'purge_delay'; the nearest is 'purge_delay_ms'",
    "error unknown option is read": "there is no option 'purge_delay'; the nearest is 'purge_delay_ms'",
    "error number that is text": "option 'purge_delay_ms' is not set: 'soon' is not a whole number from 0 to 3600000",
    "error number too large": "option 'purge_delay_ms' is not set: '3600001' is not a whole number from 0 to 3600000",
    "error number too small": "option 'purge_delay_ms' is not set: '-1' is not a whole number from 0 to 3600000",
    "error choice that is none": "option 'on_error' is not set: 'explode' is not one of abort,report",
    "error at start only": "option 'thp' is read once at the start; set HAKMEM_THP=never in the environment",
    "error no name to read": "the name of an option is missing; give text",
    "error no name to set": "the name of an option is missing; give text",
    "error no value": "the value of option 'counters' is missing; give a whole number or text",
    "error limit that is text": "the soft limit is 'much'; give a whole number of bytes, or 0 for none",
    "error limit below zero": "the hard limit is '-1'; give a whole number of bytes, or 0 for none",
    "error limit beyond 64 bits": f"the hard limit is '{1 << 64}'; give a whole number of bytes, or 0 for none",
    "error no limit": "the soft limit is missing; give a whole number of bytes, or 0 for none",
    "error soft above hard": "the soft limit 20 is above the hard limit 10; give soft <= hard, or 0 for none",
    "error private that is neither": "is_private is '2'; give 0 or 1",
    "error unknown heap": "there is no heap 999; heap_new makes one",
    "error heap that is text": "the heap is 'first'; give the number of a heap",
    "error no heap": "the heap is missing; give the number of a heap",
    "error limit that is not whole": "the soft limit must be a whole number of bytes, or 0 for none",
    "error value that is not whole": "the value of option 'purge_delay_ms' must be a whole number or text",
    "error limit that is not a number": "the soft limit must be a whole number of bytes, or 0 for none",
    "error limit with a point": "the soft limit is '2.5'; give a whole number of bytes, or 0 for none",
    "error limit with a NUL": "the soft limit contains a NUL character",
    "error name with a NUL": "the name of an option contains a NUL character",
    "error value with a NUL": "the value of option 'purge_delay_ms' contains a NUL character",
    "error limit that is long": f"the soft limit is '{'9' * 80}...'; give a whole number of bytes, or 0 for none",
    "error limit with controls": "the soft limit is '?[31m?????'; give a whole number of bytes, or 0 for none",
    "error name with controls": "there is no option '?[31m?????'; options() lists them",
    "error name that is long": f"there is no option '{'x' * 80}...'; options() lists them",
    "error long name without a value": (f"the value of option '{'x' * 80}...' is missing; give a whole number or text"),
    "error list as a value": "the value of option 'counters' must be a whole number or text",
    "error list as a name": "the name of an option must be text",
    "error list as a heap": "the heap must be the number of a heap",
    "texts leak": "False",
    "number after all": "125",
    "used after all": "0",
    "error destroyed heap": "there is no heap 1; heap_new makes one",
    "heaps": "0",
    "trim is": "integer",
}
HEAP = {
    "heap": 1,
    "used_bytes": 102400,
    "used_blocks": 100,
    "peak_bytes": 102400,
    "soft_limit_bytes": 0,
    "hard_limit_bytes": 1 << 40,
    "soft_refusals": 0,
    "hard_refusals": 0,
}


@pytest.mark.parametrize("language", LANGUAGES)
def test_session(build: Path, language: str, repository: Path) -> None:
    lines = session(build, language)
    header = (repository / "core" / "include" / "hakmem.h").read_text()
    assert f'#define HAK_VERSION_STRING "{lines.pop("version")}"' in header
    documents = {name: json.loads(lines.pop(name)) for name in DOCUMENTS}
    assert lines == {name: text for name, text in EXPECTED.items() if language != "tcl" or name not in NOT_IN_TCL}

    stats = documents["stats json"]
    assert stats["heaps"] == [HEAP]
    parts = ("live_bytes", "cached_bytes", "pinned_bytes", "free_resident_bytes", "unbacked_bytes")
    assert stats["mapped_bytes"] == sum(stats[part] for part in parts)
    assert stats["live_bytes"] >= HEAP["used_bytes"]
    assert {row["name"]: row["value"] for row in documents["options json"]["options"]}["purge_delay_ms"] == 125


def test_documents_have_the_same_keys_and_types_everywhere(build: Path) -> None:
    shapes = {}
    for language in LANGUAGES:
        try:
            lines = session(build, language)
        except pytest.skip.Exception:
            continue
        shapes[language] = [shape(json.loads(lines[name])) for name in DOCUMENTS]
    if len(shapes) < 2:
        pytest.skip("only Python is here: apt-get install lua5.4 liblua5.4-dev ruby ruby-dev tcl tcl-dev")
    for language, found in shapes.items():
        assert found == next(iter(shapes.values())), language


def test_two_bindings_see_the_blocks_of_their_host(build: Path) -> None:
    host = build / "host"
    if not host.exists():
        pytest.skip("no Ruby or no Tcl to embed: apt-get install ruby-dev tcl-dev")
    lines = run(host, build)
    heaps = {who: json.loads(lines[who])["heaps"] for who in ("host", "ruby", "tcl")}
    assert heaps["host"] == [HEAP | {"hard_limit_bytes": 1 << 20}]
    assert heaps["ruby"] == heaps["host"]
    assert heaps["tcl"] == [HEAP | {"hard_limit_bytes": 2 << 20}]  # as Ruby has set it
    assert lines["limit"] == str(2 << 20)
    assert int(lines["trim"]) >= 0
    live_bytes = {who: json.loads(lines[who])["live_bytes"] for who in ("host", "ruby", "tcl")}
    assert len(set(live_bytes.values())) == 1


TKINTER = """
import sys, tkinter
tcl = tkinter.Tcl()
tcl.eval(f"load {sys.argv[1]}/hakmem/swig/tcl/hakmem.so Hakmem")
print(tcl.eval("hakmem::option_get thp"))
tcl.eval("interp create -safe inner")
try:
    tcl.eval(f"load {sys.argv[1]}/hakmem/swig/tcl/hakmem.so Hakmem inner")
except tkinter.TclError:
    print("refused")
"""


def test_tcl_that_a_host_loaded_for_itself_alone(build: Path) -> None:
    """Its library's names are nobody else's; and a safe interpreter gets no control of the host's memory."""
    if importlib.util.find_spec("_tkinter") is None or not (build / "hakmem/swig/tcl/hakmem.so").exists():
        pytest.skip("no tkinter, or no headers of Tcl: apt-get install python3-tk tcl-dev")
    result = subprocess.run([sys.executable, "-c", TKINTER, str(build)], capture_output=True, text=True)
    assert (result.stdout, result.stderr) == ("auto\nrefused\n", "")


def test_functions_of_python_take_keywords_and_say_which() -> None:
    number = control.heap_new(hard_limit_bytes=1 << 20, soft_limit_bytes=0, is_private=1)
    control.heap_set_limit(number=number, soft_limit_bytes=0, hard_limit_bytes="4096")
    assert control.heap_stats(number)["hard_limit_bytes"] == 4096
    control.heap_destroy(number)
    assert "heap_new(soft_limit_bytes, hard_limit_bytes, is_private=0)" in (control.heap_new.__doc__ or "")


def test_functions_of_python_carry_the_docstrings() -> None:
    assert "Gives back to the OS all that holds no live block" in (control.trim.__doc__ or "")
    assert "Makes a heap whose blocks are counted and limited" in (control.heap_new.__doc__ or "")


def test_wrappers_of_ruby_carry_the_docstrings(build: Path) -> None:
    wrappers = build / "hakmem" / "swig" / "swig" / "ruby.c"
    if not wrappers.exists():
        pytest.skip("no headers of Ruby: apt-get install ruby-dev")
    assert "Sets the option `name` for the whole process to `value`" in wrappers.read_text()
