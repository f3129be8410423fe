"""NumPy's arrays are left alone where somebody else has a say in them, or where NumPy is too old."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
from arrays_support import AFTER, BEFORE, HANDLERS, OLD_NUMPY, START, way_of
from python_support import json_of, output_of, run_code

numpy = pytest.importorskip("numpy", reason="NumPy is not here: pip install numpy")

WAY = way_of(numpy.__version__)


def test_handler_of_somebody_else_is_left_alone() -> None:
    auto, on, is_enabled, names, again = json_of(
        f"""{START}
import numpy
{HANDLERS}
former = set_handler(capsule)
hakmem.enable()
auto = hakmem.arrays()
hakmem.disable()
try:
    hakmem.enable(arrays="on")
except hakmem.UnsupportedError as error:
    on = str(error)
names = [umath.get_handler_name(), is_served()]
is_enabled = hakmem.is_enabled(), hakmem.get_option("arrays")
set_handler(former)
hakmem.enable()
print(json.dumps([auto, on, is_enabled, names, [umath.get_handler_name(), hakmem.arrays(), is_served()]]))
"""
    )
    reason = "NumPy's data handler is 'somebody', which somebody else has set"
    assert auto == {"served_by": None, "reason": reason}
    assert on == f"NumPy's arrays cannot be served: {reason}"
    assert is_enabled == [False, "auto"], "nothing has changed"
    assert names == ["somebody", False]
    assert again == ["default_allocator", {"served_by": WAY, "reason": None}, True], "enable() asks again"


def test_handler_that_is_set_later_serves_its_own_arrays() -> None:
    assert json_of(
        f"""{BEFORE}
{HANDLERS}
kept = numpy.ones(MIB)
former = set_handler(capsule)
theirs = numpy.ones(MIB)
hakmem.enable()
set_handler(former)
print(json.dumps([umath.get_handler_name(kept), umath.get_handler_name(theirs), is_served()]))
"""
    ) == ["default_allocator", "somebody", True]


@pytest.mark.parametrize("word", range(1, 5))
def test_default_handler_that_another_tool_has_changed_is_left_alone(word: int) -> None:
    reason = json_of(
        f"""{START}
import numpy
{HANDLERS}
words = (ctypes.c_void_p * 5).from_address(default_address + 128)
own = words[{word}]
words[{word}] = ctypes.cast(ctypes.CDLL(None).abort, ctypes.c_void_p).value  # it is not even asked
hakmem.enable()
words[{word}] = own
print(json.dumps(hakmem.arrays()["reason"]))
"""
    )
    assert re.fullmatch("NumPy's default data handler has functions of .*libc.*", reason)


def test_handler_of_a_task_does_not_stop_the_others() -> None:
    """It is looked at once: whoever switches arrays off and on later may have one of its own."""
    assert json_of(
        f"""{BEFORE}
{HANDLERS}
import contextvars
def switch():
    set_handler(capsule)
    hakmem.set_option("arrays", "off")
    hakmem.set_option("arrays", "on")
contextvars.copy_context().run(switch)
print(json.dumps([hakmem.arrays()["served_by"], is_served()]))
"""
    ) == [WAY, True]


def test_default_handler_that_lost_one_function_is_not_served() -> None:
    report = json_of(
        f"""{BEFORE}
{HANDLERS}
words = (ctypes.c_void_p * 5).from_address(default_address + 128)
own = words[1]
words[1] = ctypes.cast(ctypes.CDLL(None).malloc, ctypes.c_void_p).value
hakmem.enable()
words[1] = own
print(json.dumps(hakmem.arrays()))
"""
    )
    assert report["served_by"] is None
    assert "NumPy's default data handler has functions of " in report["reason"]


@pytest.mark.skipif(WAY != "handler", reason="the raw domain is of all copies")
def test_second_copy_of_numpy_is_left_alone(tmp_path: Path) -> None:
    """The data of the first copy go back by its own functions."""
    folder = Path(numpy.__file__).parent
    for name in (folder.name, f"{folder.name}.libs"):
        if (folder.parent / name).is_dir():
            shutil.copytree(folder.parent / name, tmp_path / name)
    assert json_of(
        f"""{AFTER}
for name in [name for name in sys.modules if name.partition(".")[0] == "numpy"]:
    del sys.modules[name]
sys.path.insert(0, {str(tmp_path)!r})
import numpy as second
hakmem.enable()
del old
gc.collect()
print(json.dumps([second.__file__ != numpy.__file__, hakmem.arrays(), second.ones(9).tolist()]))
"""
    ) == [True, {"served_by": None, "reason": "another copy of NumPy in this process is served"}, [1.0] * 9]


def test_numpy_without_a_data_handler() -> None:
    reason = "this NumPy has no data handler; 1.22 and newer ones have"
    code = f"""{OLD_NUMPY}
import hakmem
{{}}
import_old_numpy()
import_old_numpy()
print(hakmem.arrays()["reason"])
"""
    assert output_of(run_code(code.format("hakmem.enable()"))) == reason + "\n"
    said = run_code(code.format("hakmem.enable(arrays='on')"))
    assert said.stdout == reason + "\n"
    assert said.stderr == f"hakmem: warning: NumPy's arrays are not served: {reason}\n", "once"
