"""Out of memory: MemoryError where stock Python raises it, no earlier, and the program goes on."""

from __future__ import annotations

import pytest
from python_support import DOMAINS, clean_environment, json_of, output_of, run_code

# The address space is full, but the allocators that were there before hakmem have room: pymalloc in arenas and the C
# library in its heap, below a few survivors.
ROOM = """
import gc, json, resource, hakmem
gc.disable()
def address_space_bytes():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[0]) * resource.getpagesize()
small, large = [bytes(40) for _ in range(1_000_000)], [bytes(5000) for _ in range(4000)]
survivors = small[::2000] + large[-1:]
del small, large
def fill_address_space():
    limit = address_space_bytes() + (1 << 20)
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
"""


def test_huge_objects_raise_memory_error_and_the_program_goes_on() -> None:
    code = """
        import hakmem, sys
        hakmem.enable()
        attempts = (
            lambda: bytes(sys.maxsize - 100),
            lambda: bytearray(sys.maxsize - 100),
            lambda: [None] * (sys.maxsize // 8 - 10),
            lambda: "x" * (sys.maxsize - 100),
            lambda: bytes(1 << 46),
        )
        for attempt in attempts * 3:
            try:
                attempt()
            except MemoryError:
                continue
            raise SystemExit("no MemoryError")
        grown = bytearray(1000)
        try:
            grown *= 1 << 50
        except MemoryError:
            pass
        assert len(grown) == 1000
        print(sum(len(bytes(size)) for size in range(1000)))
    """
    assert output_of(run_code(code)) == "499500\n"


def test_memory_error_under_an_address_space_limit() -> None:
    code = """
        import hakmem, resource
        hakmem.enable()
        limit = 600 << 20
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
        for block_bytes in (40, 3000, 100_000, 5_000_000):
            keep = []
            try:
                while True:
                    keep.append(bytes(block_bytes))
            except MemoryError:
                count = len(keep)
                keep.clear()
            assert count * block_bytes > 100 << 20, (block_bytes, count)
        keep = [bytes(40) for _ in range(100_000)]
        print("went on")
    """
    assert output_of(run_code(code)) == "went on\n"


@pytest.mark.parametrize("when", ["before", "after"])
def test_no_earlier_than_stock_python(when: str) -> None:
    """A chain of objects as long as memory lets it be; enabled before memory is full, or when it is full already."""
    code = f"""{ROOM}
if {when == "before"}: hakmem.enable()
fill_address_space()
if {when == "after"}: hakmem.enable()
before, length, chain = hakmem.stats(), 0, None
try:
    while True:
        chain = (bytes(40), chain)
        length += 1
except MemoryError:
    while chain:
        chain = chain[1]
after = hakmem.stats()
print(json.dumps([length, after["passed_requests"] - before["passed_requests"]]))
"""
    stock_length, _ = json_of(code, environment=clean_environment(HAKMEM="0"))
    length, passed = json_of(code)
    assert stock_length > 100_000
    assert length > 0.97 * stock_length  # hakmem's own tables take a little
    assert passed > length  # two blocks per link, nearly all of them passed


@pytest.mark.parametrize("name", ["mem", "obj", "raw"])
@pytest.mark.parametrize("counters", ["0", "1"])
def test_what_the_core_has_no_memory_for_is_passed(name: str, counters: str) -> None:
    """Each kind of request, 50 times for each of some sizes; the blocks keep their contents and go back."""
    code = f"""{ROOM}{DOMAINS}
domain = domains["{name}"]
hakmem.enable()
def make(request, size):
    blocks = [request(size) for _ in range(50)]
    assert None not in blocks, size
    return blocks
def passed_by(request, *arguments):
    before = hakmem.stats()["passed_requests"]
    blocks = request(*arguments)
    return blocks, hakmem.stats()["passed_requests"] - before
def fill(blocks, size):
    for block in blocks:
        ctypes.memset(block, size % 255 + 1, size)
def check(blocks, size):
    assert all(ctypes.string_at(block, size) == bytes([size % 255 + 1]) * size for block in blocks), size
sizes = (8, 24, 40, 200, 600, 2000, 5000)
def live_blocks():  # of the sizes that Python itself hardly uses
    return sum(row["live"] for row in hakmem.stats()["classes"] if 200 <= row["block_bytes"] <= 6000)
live = live_blocks()
ours = {{size: make(domain.malloc, size) for size in sizes}}
for size in sizes:
    fill(ours[size], size)
fill_address_space()
used_up = []
for size in sizes + tuple(2 * size for size in sizes):
    count = 0
    while count < 50:  # until none of a round comes from the core; what looking costs is measured with it, so:
        look = passed_by(lambda: None)[1]
        blocks, count = passed_by(make, domain.malloc, size)
        count -= look
        used_up += blocks
clean, new, grown = {{}}, {{}}, {{}}
for size in sizes:
    clean[size], count = passed_by(make, lambda size: domain.calloc(size // 8, 8), size)
    assert count >= 50 and all(ctypes.string_at(block, size) == bytes(size) for block in clean[size]), size
    new[size], count = passed_by(make, lambda size: domain.realloc(None, size), size)
    assert count >= 50, size
moved = 0
for size in sizes:
    old = iter(ours[size])
    grown[size], count = passed_by(make, lambda size: domain.realloc(next(old), size), 2 * size)
    moved += count
    check(grown[size], size)
    fill(grown[size], 2 * size)
assert moved >= 100, moved  # what moved out made room for others
assert domain.realloc(grown[5000][0], 2**63 - 1) is None
passed_bytes = hakmem.stats()["passed_bytes"]
assert domain.malloc(1 << 40) is None and domain.calloc(1 << 20, 1 << 20) is None
assert domain.calloc(1 << 33, 1 << 33) is None
assert hakmem.stats()["passed_bytes"] - passed_bytes < 1 << 20, "what nobody served counts as passed"
for size in sizes:
    check(grown[size], 2 * size)
    for block in (*clean[size], *new[size], *grown[size]):
        domain.free(block)
for block in used_up:
    domain.free(block)
assert live_blocks() - live < 100, "blocks that grew and moved out, 200, were not freed"
assert hakmem._hakmem.check() == 0
keep = [bytes(40) for _ in range(10_000)]
"""
    output_of(run_code(code, environment=clean_environment(HAKMEM_DOMAINS="raw,mem,obj", HAKMEM_COUNTERS=counters)))


STEPS = {
    "list": "for _ in range(10_000): block.append(None)",
    "bytearray": "block += chunk",
}


@pytest.mark.parametrize(("limit", "used"), [("RLIMIT_AS", "VmSize"), ("RLIMIT_DATA", "VmData")])
@pytest.mark.parametrize("kind", STEPS)
def test_grows_as_far_as_stock_python(kind: str, limit: str, used: str) -> None:
    """One block takes nearly all that the limit leaves: there is no room for both of its places."""
    code = f"""
import json, re, resource, sys, hakmem
hakmem.enable()
chunk = bytes(50_000)
def grow(block, bytes_max):
    while sys.getsizeof(block) < bytes_max:
        {STEPS[kind]}
block = {kind}()
grow(block, 40 << 20)
start_bytes = sys.getsizeof(block)
with open("/proc/self/status") as file:
    used_bytes = int(re.search(r"{used}:\\s+(\\d+) kB", file.read())[1]) << 10
# Python asks for an eighth more each time. The last step that fits leaves 8 % free; with room for both places the last
# one is six steps before it, and the next misses that by so much that no other allocator has room for a copy either.
limit_bytes = used_bytes - start_bytes + int(start_bytes * 1.125**12 * 1.08)
resource.setrlimit(resource.{limit}, (limit_bytes, limit_bytes))
try:
    grow(block, 1 << 40)
except MemoryError:
    print(json.dumps([start_bytes, sys.getsizeof(block)]))
"""
    stock_start_bytes, stock_bytes = json_of(code, environment=clean_environment(HAKMEM="0"))
    _, reached_bytes = json_of(code)
    assert stock_bytes > 4 * stock_start_bytes
    assert reached_bytes >= 0.95 * stock_bytes
