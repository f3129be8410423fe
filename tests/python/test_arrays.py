"""NumPy's array data are served, by the way that the installed version has; where they are not, it is said why."""

from __future__ import annotations

import json
import os

import pytest
from arrays_support import AFTER, BEFORE, BOTH, START, way_of
from python_support import HAKMEM, clean_environment, json_of, output_of, run, run_code

numpy = pytest.importorskip("numpy", reason="NumPy is not here: pip install numpy")

WAY = way_of(numpy.__version__)


def test_report_is_asked_without_numpy() -> None:
    reports = json_of(
        START
        + """
reports = [hakmem.arrays()]
hakmem.enable()
reports.append(hakmem.arrays())
print(json.dumps([reports, "numpy" in sys.modules]))
"""
    )
    reasons = ["hakmem is not enabled", "NumPy is not imported"]
    assert reports == [[{"served_by": None, "reason": reason} for reason in reasons], False]


@BOTH
def test_arrays_are_served(start: str) -> None:
    report, main, thread, task, small = json_of(
        start
        + """
import asyncio
found = []
thread = threading.Thread(target=lambda: found.append(is_served()))
thread.start()
thread.join()
async def measure():
    return await asyncio.create_task(asyncio.to_thread(is_served)), is_served()
small_bytes = served_bytes(lambda: [numpy.zeros(count % 50) for count in range(20_000)])
print(json.dumps([hakmem.arrays(), is_served(), found[0], asyncio.run(measure()), small_bytes]))
"""
    )
    assert report == {"served_by": WAY, "reason": None}
    assert main is True
    assert thread is True
    assert task == [True, True]
    assert small > 20_000 * 25 * 8


@BOTH
def test_children_are_served(start: str) -> None:
    assert json_of(
        start
        + """
kept = numpy.arange(MIB)
reading, writing = os.pipe()
child = os.fork()
if child == 0:
    kept[:] = 1
    del kept
    os.write(writing, json.dumps(is_served()).encode())
    os._exit(0)
assert os.waitpid(child, 0)[1] == 0 and kept[-1] == MIB - 1
print(os.read(reading, 100).decode())
"""
    )


@pytest.mark.parametrize("switched", ["", 'hakmem.set_option("arrays", "off")', "hakmem.disable()"])
def test_arrays_of_before_go_back_where_they_came_from(switched: str) -> None:
    """The C library ends the process where they do not; the contents move along."""
    code = f"""{AFTER}
new = [numpy.full(count, 3.0) for count in (1, 90, 5000, MIB)]
{switched}
for array in old + new:
    count = len(array)
    for wanted in (count + 5, 3 * count, 40_000, 2 * MIB, 10, count):
        array.resize(wanted, refcheck=False)
        assert array[: min(count, 10)].tolist() == [3.0] * min(count, 10)
        assert not array[10:].any() or wanted > 10
del array, old, new
served = is_served()
hakmem.enable()
hakmem.set_option("arrays", "auto")
print(json.dumps([served, is_served(), hakmem._hakmem.check()]))
"""
    assert json_of(code) == [not switched, True, 0]


@BOTH
def test_data_are_aligned_and_zeros_are_zero(start: str) -> None:
    assert (
        json_of(
            start
            + """
sizes = [*range(1, 300), 1000, 1024, 5000, 40_000, MIB, 3 * MIB, 9 * MIB]
faults = []
for size in sizes:
    dirty = [numpy.full(size, 255, dtype=numpy.uint8) for _ in range(3)]
    alignment = 16 if size > 8 or hakmem.arrays()["served_by"] == "handler" else 8
    faults += [(size, "alignment") for array in dirty if array.ctypes.data % alignment]
    del dirty
    zeros = [numpy.zeros(size, dtype=numpy.uint8) for _ in range(3)]
    faults += [(size, "zeros") for array in zeros if array.any() or array.ctypes.data % alignment]
print(json.dumps(faults))
"""
        )
        == []
    )


@pytest.mark.parametrize("switch", ["", "NUMPY_MADVISE_HUGEPAGE", "HAKMEM_THP", "HAKMEM_SYSTEM_CALLS"])
def test_large_arrays_ask_for_huge_pages(switch: str) -> None:
    """NumPy asks for them, too; its faults are three times as many without."""
    if not os.path.exists("/sys/kernel/mm/transparent_hugepage/enabled"):
        pytest.skip("this kernel has no huge pages")
    are_zeros_huge = tuple(map(int, numpy.__version__.split(".")[:2])) >= (2, 2)
    off = {"": {}, "NUMPY_MADVISE_HUGEPAGE": {switch: "0"}, "HAKMEM_THP": {switch: "never"}}
    variables = off.get(switch, {switch: "plain"})
    flags = json_of(
        BEFORE
        + """
array, small = numpy.ones(2 * MIB), numpy.ones(MIB // 8)
zeros = numpy.zeros(2 * MIB)
def flags_of(address):
    is_here = False
    with open("/proc/self/smaps") as file:
        for line in file:
            first, _, last = line.split()[0].partition("-")
            if last:
                is_here = int(first, 16) <= address < int(last, 16)
            elif is_here and line.startswith("VmFlags:"):
                return "hg" in line.split()
print(json.dumps([flags_of(array.ctypes.data + 8 * MIB), flags_of(small.ctypes.data),
                  flags_of(zeros.ctypes.data + 8 * MIB)]))
""",
        environment=clean_environment(HAKMEM_DOMAINS="mem,obj", **variables),
    )
    assert flags == ([True, False, are_zeros_huge] if not switch else [False, False, False])


@BOTH
def test_requests_for_too_much_are_memory_errors(start: str) -> None:
    assert json_of(
        start
        + """
failures = 0
for make in (numpy.empty, numpy.zeros):
    for count in (1 << 55, (1 << 60) - 1):
        try:
            make(count)
        except (MemoryError, ValueError):
            failures += 1
array = numpy.arange(1000)
try:
    array.resize(1 << 55, refcheck=False)
except MemoryError:
    failures += 1
print(json.dumps([failures, array.tolist() == list(range(1000)), is_served()]))
"""
    ) == [5, True, True]


def test_domains_that_the_user_names_stay() -> None:
    """Also from NumPy 2.5 on: then its data handler is taken."""
    report, is_served, raw_bytes = json_of(
        f"""{BEFORE}
raw = ctypes.pythonapi.PyMem_RawMalloc
raw.restype, raw.argtypes = ctypes.c_void_p, [ctypes.c_size_t]
print(json.dumps([hakmem.arrays(), is_served(), served_bytes(lambda: raw(MIB))]))
""",
        environment=clean_environment(HAKMEM_DOMAINS="mem,obj"),
    )
    assert report == {"served_by": "handler", "reason": None}
    assert is_served is True
    assert raw_bytes < 1 << 20


@pytest.mark.parametrize("switch", ["", 'hakmem.set_option("arrays", "off")'])
def test_raw_domain_is_served_for_arrays_alone(switch: str) -> None:
    raw_bytes = json_of(
        f"""{BEFORE}
raw = ctypes.pythonapi.PyMem_RawMalloc
raw.restype, raw.argtypes = ctypes.c_void_p, [ctypes.c_size_t]
{switch}
print(json.dumps(served_bytes(lambda: raw(MIB))))
"""
    )
    assert (raw_bytes >= 1 << 20) == (WAY == "raw" and not switch)


def test_tracemalloc_on_top_is_no_obstacle() -> None:
    report, is_served, traced_bytes = json_of(
        f"""{START}
import tracemalloc
hakmem.enable()
tracemalloc.start()
import numpy
before = tracemalloc.get_traced_memory()[0]
kept = numpy.ones(MIB)
traced_bytes = tracemalloc.get_traced_memory()[0] - before
del kept
print(json.dumps([hakmem.arrays(), is_served(), traced_bytes]))
tracemalloc.stop()
kept = numpy.ones(MIB)
"""
    )
    assert report == {"served_by": "handler", "reason": None}
    assert is_served is True
    assert 8 << 20 <= traced_bytes < 9 << 20, "counted once"


def test_whole_process_is_served_once() -> None:
    code = f"{START}\nimport numpy\nprint(json.dumps([hakmem.arrays(), is_served()]))"
    report, is_served = json.loads(output_of(run([*HAKMEM, "run", "--all", "-c", code])))
    assert report == {"served_by": "malloc", "reason": None}
    assert is_served is True


def test_status_says_which_way_it_is() -> None:
    def status(*words: str, **variables: str) -> str:
        return output_of(run([*HAKMEM, "status", *words], environment=clean_environment(**variables)))

    texts = {"handler": "NumPy's data handler", "raw": "CPython's raw domain"}
    assert f"arrays           served by {texts[WAY]} (NumPy {numpy.__version__})" in status()
    arrays = json.loads(status("--json"))["arrays"]
    assert arrays == {"numpy": numpy.__version__, "served_by": WAY, "reason": None}
    text = f"arrays           not served: the option arrays is off (NumPy {numpy.__version__})"
    assert text in status(HAKMEM_ARRAYS="off")
    for variable in ("HAKMEM", "PYTHONTRACEMALLOC"):
        text = f"arrays           not served: hakmem cannot be enabled here (NumPy {numpy.__version__})"
        assert text in status(**{variable: "0" if variable == "HAKMEM" else "1"})
    assert "not served: the option tiny_use_superslab is 0" in status(HAKMEM_TINY_USE_SUPERSLAB="0")
    assert f"served by {texts['handler']}" in status(HAKMEM_DOMAINS="mem,obj")
    assert f"served by {texts[WAY]}" in status(HAKMEM_DOMAINS="raw,mem,obj")
    code = "from hakmem.cli.numpy_here import arrays_status as told; print(told(None))"
    told = output_of(run([*HAKMEM, "run", "--all", "-c", code]))
    assert "'served_by': 'malloc'" in told


def test_status_without_numpy() -> None:
    code = """
import importlib.metadata, hakmem.cli.numpy_here as here
def version(name):
    raise importlib.metadata.PackageNotFoundError(name)
importlib.metadata.version = version
print(here.arrays_text(here.arrays_status(None)))
importlib.metadata.version = lambda name: "1.21.6"
print(here.arrays_text(here.arrays_status(None)))
"""
    texts = ["no NumPy here", "not served: NumPy before 1.22 has no data handler (NumPy 1.21.6)"]
    assert output_of(run_code(code)).splitlines() == texts
