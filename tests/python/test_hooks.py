"""Routing by address: our blocks to the core, foreign ones to the allocator that served them, in every order."""

from __future__ import annotations

import itertools

import pytest
from python_support import DOMAINS, clean_environment, json_of, output_of, run_code


@pytest.mark.parametrize(
    "chosen", [",".join(names) for count in (1, 2, 3) for names in itertools.combinations(("raw", "mem", "obj"), count)]
)
def test_option_domains_says_which_are_served(chosen: str) -> None:
    code = f"""{DOMAINS}
hakmem.enable()
sizes = (500, 5000, 500000)
print(json.dumps({{name: [served_by_hakmem(domain, size) for size in sizes] for name, domain in domains.items()}}))
"""
    served = json_of(code, environment=clean_environment(HAKMEM_DOMAINS=chosen))
    for name, answers in served.items():
        # pymalloc itself hands what is above 512 bytes to the raw domain.
        assert answers == [True] * 3 if name in chosen.split(",") else answers[0] is False, served


@pytest.mark.parametrize("name", ["mem", "obj", "raw"])
def test_contract_of_a_domain(name: str) -> None:
    """Zero bytes, sizes no machine has, products that overflow, NULL, contents and alignment."""
    code = f"""{DOMAINS}
hakmem.enable()
domain = domains["{name}"]
zero = [domain.malloc(0), domain.malloc(0), domain.calloc(0, 8), domain.calloc(8, 0), domain.realloc(None, 0)]
assert None not in zero and len(set(zero)) == 5
block = domain.realloc(zero[0], 100)
assert domain.realloc(block, 0) is not None
for size in (2**63 - 1, 2**63, 2**64 - 1, 2**62):
    assert domain.malloc(size) is None and domain.calloc(1, size) is None, size
assert domain.calloc(2**33, 2**33) is None
assert domain.calloc(2**32 + 1, 2**32) is None
block = domain.malloc(100)
ctypes.memmove(block, bytes(range(100)), 100)
assert domain.realloc(block, 2**63 - 1) is None
assert ctypes.string_at(block, 100) == bytes(range(100))
for size in (50, 1000, 40000, 3000000, 70):
    block = domain.realloc(block, size)
    kept = min(size, 50)
    assert ctypes.string_at(block, kept) == bytes(range(kept)), size
domain.free(block)
domain.free(None)
for size in range(1, 3000, 7):
    dirty = domain.malloc(size)
    ctypes.memset(dirty, 255, size)
    domain.free(dirty)
    clean = domain.calloc(1, size)
    assert ctypes.string_at(clean, size) == bytes(size)
    loose = size <= 8 or ("{name}" == "obj" and 17 <= size <= 24)
    assert clean % (8 if loose else 16) == 0, (size, hex(clean))
    domain.free(clean)
"""
    output_of(run_code(code, environment=clean_environment(HAKMEM_DOMAINS="raw,mem,obj")))


def test_align_16_tightens_every_block() -> None:
    code = f"""{DOMAINS}
hakmem.enable()
for size in range(1, 200):
    assert domains["obj"].malloc(size) % 16 == 0, size
"""
    output_of(run_code(code, environment=clean_environment(HAKMEM_ALIGN="16")))


def test_blocks_of_before_are_freed_and_resized_where_they_came_from() -> None:
    code = f"""{DOMAINS}
domain = domains["obj"]
blocks = [domain.malloc(size) for size in range(1, 2000)]
for size, block in enumerate(blocks, 1):
    ctypes.memset(block, size % 256, size)
hakmem.enable()
passed = counts()[1]
live = hakmem.stats()["live_bytes"]
blocks = [domain.realloc(block, size * 3) for size, block in enumerate(blocks, 1)]
assert counts()[1] - passed >= 1999
assert hakmem.stats()["live_bytes"] - live < 1 << 20, "a foreign block was taken over"  # they are 6 MB
for size, block in enumerate(blocks, 1):
    assert ctypes.string_at(block, size) == bytes([size % 256]) * size
    domain.free(block)
"""
    output_of(run_code(code))


def test_while_disabled_nothing_new_is_ours_and_what_is_ours_stays_valid() -> None:
    code = f"""{DOMAINS}
hakmem.enable()
domain = domains["mem"]
blocks = []
for size in range(1, 2000):
    blocks.append(domain.malloc(size))
    ctypes.memset(blocks[-1], size % 256, size)
hakmem.disable()
served, passed = counts()
domain.free(domain.malloc(10)), domain.free(domain.calloc(2, 5)), domain.free(domain.realloc(None, 10))
live = hakmem.stats()["live_bytes"]
blocks = [domain.realloc(block, size * 100) for size, block in enumerate(blocks, 1)]
assert live - hakmem.stats()["live_bytes"] >= sum(range(2000)), "grown blocks move out"
for size, block in enumerate(blocks, 1):
    assert ctypes.string_at(block, size) == bytes([size % 256]) * size
    domain.free(block)
assert counts()[0] == served, "a new request was served"
assert counts()[1] - passed >= 3 + 1999
"""
    output_of(run_code(code))


def test_shrinking_while_disabled_keeps_the_contents() -> None:
    code = f"""{DOMAINS}
hakmem.enable()
domain = domains["obj"]
block = domain.malloc(5000)
ctypes.memmove(block, bytes(range(250)) * 20, 5000)
hakmem.disable()
for size in (4999, 300, 10):
    block = domain.realloc(block, size)
    assert ctypes.string_at(block, size) == (bytes(range(250)) * 20)[:size]
domain.free(block)
"""
    output_of(run_code(code))


def test_without_superslabs_everything_is_passed() -> None:
    code = f"""{DOMAINS}
assert hakmem.enable() is True
assert hakmem.is_enabled()
keep = [object() for _ in range(1000)]
served, passed = counts()
assert served == 0 and passed >= 1000, (served, passed)
assert hakmem.stats()["superslabs_born"] == 0
"""
    output_of(run_code(code, environment=clean_environment(HAKMEM_TINY_USE_SUPERSLAB="0")))


def test_served_bytes_count_every_kind_of_request() -> None:
    code = f"""{DOMAINS}
hakmem.enable()
def counted_bytes(request):
    before = hakmem.stats()["served_bytes"]
    blocks = [request() for _ in range(1000)]
    return hakmem.stats()["served_bytes"] - before, blocks
for domain in (domains["mem"], domains["obj"]):
    for request in (lambda: domain.malloc(3000), lambda: domain.calloc(3, 1000), lambda: domain.realloc(None, 3000)):
        count, blocks = counted_bytes(request)
        assert 3000 * 1000 <= count < 4500 * 1000, count  # the list, the addresses and the stats are objects, too
    moved = iter(blocks)
    count, blocks = counted_bytes(lambda: domain.realloc(next(moved), 9000))
    assert 9000 * 1000 <= count < 13500 * 1000, count
"""
    output_of(run_code(code, environment=clean_environment(HAKMEM_COUNTERS="1")))


def test_errno_is_kept() -> None:
    code = """
        import ctypes, hakmem
        hakmem.enable()
        library = ctypes.PyDLL(None, use_errno=True)
        library.PyMem_Malloc.restype = library.PyMem_Malloc.argtypes = None
        library.PyMem_Malloc.restype = ctypes.c_void_p
        library.PyMem_Malloc.argtypes = [ctypes.c_size_t]
        library.PyMem_Free.argtypes = [ctypes.c_void_p]
        blocks = []
        ctypes.set_errno(99)
        for size in range(1, 40000, 11):
            blocks.append(library.PyMem_Malloc(size))
            assert ctypes.get_errno() == 99, size
        for block in blocks:
            library.PyMem_Free(block)
            assert ctypes.get_errno() == 99
    """
    output_of(run_code(code))


def test_any_order_of_requests_and_switches() -> None:
    """Random programs over malloc, calloc, realloc, free, enable and disable; every block keeps its own pattern."""
    code = f"""{DOMAINS}
import sys
from hypothesis import HealthCheck, given, settings, strategies
sizes = strategies.one_of(strategies.integers(0, 100), strategies.integers(0, 5000), strategies.integers(0, 3 << 20))
steps = strategies.tuples(
    strategies.sampled_from(["malloc", "calloc", "realloc", "free", "enable", "disable", "trim"]),
    strategies.sampled_from(["mem", "obj"]), sizes, strategies.integers(0, 1 << 20))
hakmem.enable()

class Block:
    def __init__(self, domain, address, size, mark):
        self.domain, self.address, self.size, self.mark = domain, address, size, mark
        assert address, "NULL"
        ctypes.memset(address, mark, size)
    def check(self, size):
        assert ctypes.string_at(self.address, size) == bytes([self.mark]) * size

@settings(max_examples=60, deadline=None, database=None, print_blob=True,
          suppress_health_check=list(HealthCheck))
@given(strategies.lists(steps, max_size=80))
def program(steps):
    blocks = []
    for action, name, size, pick in steps:
        domain, mark = domains[name], pick % 255 + 1
        if action == "malloc":
            blocks.append(Block(domain, domain.malloc(size), size, mark))
        elif action == "calloc":
            address = domain.calloc(size, 1)
            assert ctypes.string_at(address, size) == bytes(size)
            blocks.append(Block(domain, address, size, mark))
        elif action == "realloc" and blocks:
            block = blocks.pop(pick % len(blocks))
            block.check(block.size)
            block.address = block.domain.realloc(block.address, size)
            block.check(min(size, block.size))
            blocks.append(Block(block.domain, block.address, size, mark))
        elif action == "free" and blocks:
            block = blocks.pop(pick % len(blocks))
            block.check(block.size)
            block.domain.free(block.address)
        elif action in ("enable", "disable", "trim"):
            getattr(hakmem, action)()
    for block in blocks:
        block.check(block.size)
        block.domain.free(block.address)

program()
from hakmem import _hakmem
assert _hakmem.check() == 0
"""
    output_of(run_code(code))
