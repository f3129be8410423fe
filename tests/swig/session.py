"""The scripted session in Python; session.* in the other languages do the same.

Output: a name, a tab, a value per line.
"""

import math
import sys
from collections.abc import Callable

from hakmem import control

sys.path.insert(0, f"{sys.argv[1]}/helper_python")
import _helper as helper


def tell(name: str, value: object) -> None:
    print(f"{name}\t{value}")


def kind(value: object) -> str:
    return "integer" if type(value) is int else type(value).__name__


def fail_with(name: str, action: Callable[[], object]) -> None:
    try:
        action()
        tell(f"error {name}", "none")
    except (LookupError, ValueError, TypeError, RuntimeError) as error:
        tell(f"error {name}", error)


tell("version", control.version())
control.option_set("purge_delay_ms", 125)
tell("number", control.option_get("purge_delay_ms"))
tell("number is", kind(control.option_get("purge_delay_ms")))
tell("text", control.option_get("thp"))

heap = control.heap_new(1 << 19, 1 << 20, 1)
helper.make_blocks(heap, 100, 1000)
control.heap_set_limit(heap, 0, 2.0**39)
tell("limit that is a whole float", control.heap_stats(heap)["hard_limit_bytes"])
control.heap_set_limit(heap, 0, 1 << 40)
tell("helper's own core serves", helper.own_core_serves())
tell("heap", heap)
figures = control.heap_stats(heap)
tell("used", f"{figures['used_bytes']} {figures['used_blocks']} {figures['hard_limit_bytes']}")
tell("used is", kind(figures["used_bytes"]))
tell("live is", kind(control.stats()["live_bytes"]))
tell("classes", sum(row["live"] >= 100 and row["block_bytes"] == 1024 for row in control.stats()["classes"]))
tell("options", " ".join(next(row for row in control.options() if row["name"] == "thp")["choices"]))
tell("options json", control.options_json())
tell("stats json", control.stats_json())

fail_with("unknown option is set", lambda: control.option_set("purge_delay", 1))
fail_with("unknown option is read", lambda: control.option_get("purge_delay"))
fail_with("number that is text", lambda: control.option_set("purge_delay_ms", "soon"))
fail_with("number too large", lambda: control.option_set("purge_delay_ms", 3600001))
fail_with("number too small", lambda: control.option_set("purge_delay_ms", -1))
fail_with("choice that is none", lambda: control.option_set("on_error", "explode"))
fail_with("at start only", lambda: control.option_set("thp", "never"))
fail_with("no name to read", lambda: control.option_get(None))
fail_with("no name to set", lambda: control.option_set(None, 1))
fail_with("no value", lambda: control.option_set("counters", None))
fail_with("limit that is text", lambda: control.heap_new("much", 0))
fail_with("limit below zero", lambda: control.heap_new(0, -1))
fail_with("limit beyond 64 bits", lambda: control.heap_new(0, 1 << 64))
fail_with("no limit", lambda: control.heap_set_limit(heap, None, 0))
fail_with("soft above hard", lambda: control.heap_new(20, 10))
fail_with("private that is neither", lambda: control.heap_new(0, 0, 2))
fail_with("unknown heap", lambda: control.heap_stats(999))
fail_with("heap that is text", lambda: control.heap_stats("first"))
fail_with("no heap", lambda: control.heap_destroy(None))
fail_with("limit that is not whole", lambda: control.heap_new(2.5, 0))
fail_with("value that is not whole", lambda: control.option_set("purge_delay_ms", 2.5))
fail_with("limit that is not a number", lambda: control.heap_new(math.nan, 0))
fail_with("limit with a point", lambda: control.heap_new("2.5", 0))
fail_with("limit with a NUL", lambda: control.heap_new("12\0", 0))
fail_with("name with a NUL", lambda: control.option_get("purge_delay_ms\0"))
fail_with("value with a NUL", lambda: control.option_set("purge_delay_ms", "12\0"))
fail_with("limit that is long", lambda: control.heap_new("9" * 100, 0))
controls = "\x1b[31m\u009b\u202e"
fail_with("limit with controls", lambda: control.heap_new(controls, 0))
fail_with("name with controls", lambda: control.option_get(controls))
fail_with("name that is long", lambda: control.option_get("x" * 100))
fail_with("long name without a value", lambda: control.option_set("x" * 100, None))
fail_with("list as a value", lambda: control.option_set("counters", [1]))
fail_with("list as a name", lambda: control.option_get([1]))
fail_with("list as a heap", lambda: control.heap_stats([1]))


def grown_bytes(action: Callable[[], object]) -> int:
    before = control.stats()["live_bytes"]
    for _ in range(200):
        action()
    return control.stats()["live_bytes"] - before


tell("texts leak", grown_bytes(control.stats_json) + grown_bytes(control.options_json) > 200000)

tell("number after all", control.option_get("purge_delay_ms"))
helper.free_blocks()
tell("used after all", control.heap_stats(heap)["used_bytes"])
control.heap_destroy(heap)
fail_with("destroyed heap", lambda: control.heap_stats(heap))
tell("heaps", len(control.heaps()))
tell("trim is", kind(control.trim()))
