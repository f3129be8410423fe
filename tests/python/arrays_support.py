"""Source text for the tests of NumPy's arrays: NumPy imported before or after, its handlers, an old NumPy."""

from __future__ import annotations

import pytest


def way_of(version: str) -> str:
    """Who serves the arrays of this NumPy, as hakmem.arrays() tells it."""
    return "handler" if tuple(map(int, version.split(".")[:2])) < (2, 5) else "raw"


# served_bytes(function): what hakmem holds more while the result of the function lives.
START = """
import ctypes, gc, json, os, sys, threading
import hakmem
MIB = 1 << 20
def served_bytes(make):
    import numpy
    gc.collect()
    before = hakmem.stats()["live_bytes"]
    kept = make()
    grown = hakmem.stats()["live_bytes"] - before
    del kept
    return grown
def eight_mebibytes():
    import numpy
    return numpy.ones(MIB)
def is_served():
    return served_bytes(eight_mebibytes) >= 8 * MIB
"""
BEFORE = START + "hakmem.enable()\nimport numpy\n"
AFTER = START + "import numpy\nold = [numpy.full(count, 3.0) for count in (1, 90, 5000, MIB)]\nhakmem.enable()\n"
BOTH = pytest.mark.parametrize("start", [BEFORE, AFTER], ids=["before-the-import", "after-the-import"])

# NumPy's C API, and a copy of its handler under another name: what a package sets that wants arrays of its own.
HANDLERS = """
try:
    from numpy._core import _multiarray_umath as umath
except ImportError:
    from numpy.core import _multiarray_umath as umath
pointer_of = ctypes.pythonapi.PyCapsule_GetPointer
pointer_of.restype, pointer_of.argtypes = ctypes.c_void_p, [ctypes.py_object, ctypes.c_char_p]
table = ctypes.cast(pointer_of(umath._ARRAY_API, None), ctypes.POINTER(ctypes.c_void_p))
set_handler = ctypes.PYFUNCTYPE(ctypes.py_object, ctypes.py_object)(table[304])
default = ctypes.cast(table[306], ctypes.POINTER(ctypes.py_object))[0]
HANDLER_BYTES = 128 + 5 * 8
default_address = pointer_of(default, b"mem_handler")
other = ctypes.create_string_buffer(ctypes.string_at(default_address, HANDLER_BYTES), HANDLER_BYTES)
other[:9] = b"somebody\\0"
new_capsule = ctypes.pythonapi.PyCapsule_New
new_capsule.restype, new_capsule.argtypes = ctypes.py_object, [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p]
capsule = new_capsule(ctypes.addressof(other), b"mem_handler", None)
"""

# A NumPy before 1.22 as far as hakmem looks: its C part with a table, in which one function tells the version.
OLD_NUMPY = """
import ctypes, sys, types
number = ctypes.CFUNCTYPE(ctypes.c_uint)(lambda: 0x0e)
table = (ctypes.c_void_p * 307)()
table[211] = ctypes.cast(number, ctypes.c_void_p)
new_capsule = ctypes.pythonapi.PyCapsule_New
new_capsule.restype, new_capsule.argtypes = ctypes.py_object, [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p]
umath = types.ModuleType("numpy.core._multiarray_umath")
umath._ARRAY_API = new_capsule(ctypes.addressof(table), None, None)
def import_old_numpy():
    sys.modules["numpy.core._multiarray_umath"] = umath
    try:
        import numpy.further
    except ImportError:
        pass
sys.modules["numpy"] = types.ModuleType("numpy")
sys.modules["numpy"].__path__ = []
"""
