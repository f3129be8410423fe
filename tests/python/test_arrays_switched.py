"""The serving of NumPy's arrays is switched on and off, and its import is noticed, whoever else looks for modules."""

from __future__ import annotations

import pytest
from arrays_support import BEFORE, BOTH, HANDLERS, START, way_of
from python_support import clean_environment, json_of, run_code

numpy = pytest.importorskip("numpy", reason="NumPy is not here: pip install numpy")

WAY = way_of(numpy.__version__)


@pytest.mark.parametrize(
    ("variables", "argument"),
    [({"HAKMEM_ARRAYS": "off"}, ""), ({"HAKMEM_ARRAYS": "off"}, 'arrays="on"'), ({}, 'arrays="off"')],
)
def test_it_can_be_switched_off(variables: dict[str, str], argument: str) -> None:
    first, second, is_noticed = json_of(
        f"""{START}
assert hakmem.enable({argument})
is_noticed = hakmem._NumpyNotice in sys.meta_path
import numpy
first = [is_served(), hakmem.arrays()]
hakmem.enable()
print(json.dumps([first, [is_served(), hakmem.arrays()], is_noticed]))
""",
        environment=clean_environment(**variables),
    )
    assert first == second == [False, {"served_by": None, "reason": "the option arrays is off"}]
    assert is_noticed is False


@pytest.mark.parametrize(
    ("variables", "calls"),
    [
        ({}, ["hakmem.enable(arrays='off')", "hakmem.set_option('arrays', 'on')"]),
        ({"HAKMEM_ARRAYS": "off"}, ["hakmem.enable()", "hakmem.set_option('arrays', 'auto')"]),
        ({}, ["hakmem.enable()", "hakmem.set_option('arrays', 'off')", "hakmem.set_option('arrays', 'on')"]),
    ],
)
def test_it_can_be_switched_on_before_the_import(variables: dict[str, str], calls: list[str]) -> None:
    code = "\n".join([START, *calls, "import numpy", "print(json.dumps([is_served(), hakmem.arrays()]))"])
    assert json_of(code, environment=clean_environment(**variables)) == [True, {"served_by": WAY, "reason": None}]


@pytest.mark.skipif(WAY != "handler", reason="this NumPy's arrays come from CPython's raw domain")
def test_functions_that_were_put_back_are_replaced_again() -> None:
    """Somebody saves NumPy's default data handler, and puts it back over hakmem's functions."""
    assert json_of(
        START
        + "import numpy"
        + HANDLERS
        + """
own = ctypes.string_at(default_address, HANDLER_BYTES)
hakmem.enable()
kept = [numpy.full(5000, 3.0), numpy.full(MIB, 3.0)]
ctypes.memmove(default_address, own, HANDLER_BYTES)
found = [is_served()]
hakmem.enable()
found += [hakmem.arrays(), is_served(), float(sum(map(numpy.sum, kept))) == 3.0 * (5000 + MIB)]
del kept
print(json.dumps(found))
"""
    ) == [False, {"served_by": "handler", "reason": None}, True, True]


def test_import_behind_another_finder_is_noticed_when_asked() -> None:
    assert json_of(
        START
        + """
import importlib.machinery
hakmem.enable()
class Finder:
    find_spec = staticmethod(importlib.machinery.PathFinder.find_spec)
sys.meta_path.insert(0, Finder)
import numpy
print(json.dumps([hakmem.arrays()["served_by"], is_served()]))
"""
    ) == [WAY, True]


def test_import_in_another_thread_meanwhile_is_noticed() -> None:
    """It ends right before enable() puts its finder there."""
    assert json_of(
        START
        + """
class Finders(list):
    def insert(self, place, finder):
        thread = threading.Thread(target=__import__, args=["numpy"])
        thread.start()
        thread.join()
        super().insert(place, finder)
sys.meta_path = Finders(sys.meta_path)
hakmem.enable()
print(json.dumps([hakmem._hakmem.arrays_state()[0], is_served()]))
"""
    ) == [WAY, True]


@BOTH
def test_nothing_is_served_where_no_object_is(start: str) -> None:
    reason = "the option tiny_use_superslab is 0"
    report, error = json_of(
        start
        + """
try:
    hakmem.enable(arrays="on")
except hakmem.UnsupportedError as refused:
    error = str(refused)
print(json.dumps([hakmem.arrays(), error]))
""",
        environment=clean_environment(HAKMEM_TINY_USE_SUPERSLAB="0"),
    )
    assert report == {"served_by": None, "reason": reason}
    assert error == f"NumPy's arrays cannot be served: {reason}"


def test_it_can_be_switched_while_the_program_runs() -> None:
    assert json_of(
        BEFORE
        + """
seen = [is_served()]
for change in (lambda: hakmem.enable(arrays="off"), lambda: hakmem.set_option("arrays", "on"), hakmem.disable,
               hakmem.enable, lambda: hakmem.set_option("arrays", "off"), lambda: hakmem.enable(arrays="on")):
    change()
    seen.append(is_served())
print(json.dumps(seen))
"""
    ) == [True, False, True, False, True, False, True]


def test_another_interpreter_switches_for_all() -> None:
    """It is not looked at for a NumPy of its own."""
    assert json_of(
        BEFORE
        + """
try:
    import _interpreters as interpreters
except ImportError:
    import _xxsubinterpreters as interpreters
seen = []
for call in ("disable", "enable"):
    other = interpreters.create()
    (interpreters.exec if hasattr(interpreters, "exec") else interpreters.run_string)(
        other, f"import hakmem; hakmem.{call}()")
    interpreters.destroy(other)
    seen.append([hakmem.arrays()["served_by"] is not None, is_served()])
print(json.dumps(seen))
"""
    ) == [[False, False], [True, True]]


def test_another_word_is_refused() -> None:
    result = run_code("import hakmem; hakmem.enable(arrays='always')")
    assert "ValueError: arrays is 'always', which is not one of auto, on, off" in result.stderr


def test_import_is_noticed_and_left_alone() -> None:
    """Other finders are asked as ever, also by who looks for a part of NumPy that does not exist."""
    assert json_of(
        START
        + """
import importlib.util
class Witness:
    names = []
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        cls.names.append(name)
sys.meta_path.insert(0, Witness)
former = list(sys.meta_path)
hakmem.enable()
hakmem.enable()
added = [finder for finder in sys.meta_path if finder not in former]
assert sys.meta_path[1:] == former and added[0].find_spec("numpy", None) is None
import numpy, numpy.linalg
assert "numpy.linalg" in Witness.names and importlib.util.find_spec("numpy.nothing") is None
assert added[0].find_spec(name="numpy.x", path=None) is None and added[0].find_spec() is None
assert added[0].find_spec("numpy.\\udc80", None) is None and added[0].find_spec(7, None) is None
hakmem.enable()
print(json.dumps([len(added), hakmem.arrays()["served_by"], sys.meta_path[1:] == former]))
"""
    ) == [1, WAY, True]
