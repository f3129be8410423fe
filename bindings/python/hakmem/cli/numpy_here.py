"""Which NumPy this environment has, and how hakmem serves its array data: for `hakmem status`. Imports no NumPy."""

import os
import re
from typing import TypedDict

import hakmem
from hakmem import _hakmem

FIRST_WITH_HANDLER = (1, 22)
FIRST_ON_RAW = (2, 5)


class ArraysStatus(TypedDict):
    """numpy is its version. served_by: "raw", "handler", "malloc", once hakmem is enabled; None, and the reason."""

    numpy: "str | None"
    served_by: "str | None"
    reason: "str | None"


def arrays_status(obstacle: "str | None") -> ArraysStatus:
    """Say what enable() will do, in an interpreter that has not imported NumPy. `obstacle`: why it refuses, if so."""
    version = _numpy_version()
    if version is None:
        return {"numpy": None, "served_by": None, "reason": "there is no NumPy in this environment"}
    way, reason = (None, "hakmem cannot be enabled here") if obstacle is not None else _way_of(version)
    return {"numpy": version, "served_by": way, "reason": reason}


def _numpy_version() -> "str | None":
    from importlib import metadata

    try:
        return metadata.version("numpy")
    except metadata.PackageNotFoundError:
        return None


def _way_of(version: str) -> "tuple[str | None, str | None]":
    numbers = tuple(int(number) for number in re.findall("[0-9]+", version)[:2])
    if _hakmem.malloc_is_served():
        return "malloc", None
    if hakmem.get_option("arrays") == "off":
        return None, hakmem.ARRAYS_ARE_OFF
    if hakmem.get_option("tiny_use_superslab") == 0:
        return None, hakmem.TINY_IS_OFF
    if numbers < FIRST_WITH_HANDLER:
        return None, "NumPy before 1.22 has no data handler"
    has_raw = "HAKMEM_DOMAINS" not in os.environ or "raw" in str(hakmem.get_option("domains")).split(",")
    return ("raw" if numbers >= FIRST_ON_RAW and has_raw else "handler"), None


TEXTS = {"raw": "CPython's raw domain", "handler": "NumPy's data handler", "malloc": "malloc"}


def arrays_text(status: ArraysStatus) -> str:
    """Return it for people."""
    if status["numpy"] is None:
        return "no NumPy here"
    way = status["served_by"]
    served = f"served by {TEXTS[way]}" if way is not None else f"not served: {status['reason']}"
    return f"{served} (NumPy {status['numpy']})"
