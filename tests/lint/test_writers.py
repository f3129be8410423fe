"""Each part of struct Heap is written by the folder that it belongs to; planted writes of every form are found."""

from __future__ import annotations

from pathlib import Path

import layers
import pytest
import writers


def test_repository_follows_the_table(repository: Path) -> None:
    violations = writers.check(repository / "core" / "src", writers.WRITERS)
    assert not violations, "\n".join(violations)


def test_writes_are_seen_here(repository: Path) -> None:
    """With a table that allows nobody, the writes of the core itself are violations."""
    core = repository / "core" / "src"
    members = writers.members_of_heap(layers.without_comments((core / writers.HEAP_HEADER).read_text(encoding="utf-8")))
    violations = writers.check(core, {name: ("nowhere/",) for name in members})
    seen = {line.rsplit("`", 2)[1] for line in violations}
    assert set(members) - seen <= {"small_slots"}, "handed over by its name alone"
    # An account of a host has bytes of its own, which are called used_bytes, too.
    assert not [line for line in violations if line.startswith("api/account")]


TABLE = {"magazine": ("cache/",), "cache": ("cache/",), "lock": writers.ANYBODY}
HEADER = """
typedef struct HeapCache {
    bool is_closed;
    _Atomic uint64_t seen;
    void *slots[8][4];
    Slab *large;
} HeapCache;
/* struct Heap { int no_member; }; */
struct Heap {
    Magazine magazine[SLAB_CLASS_COUNT];
    _Alignas(CACHE_LINE_BYTES) os_lock_t lock;
    HeapCache cache; /* a part; of cache/ */
};
typedef struct Holding {
    Heap *owner;
} Holding;
extern Heap heap_shared;
extern _Thread_local Heap *heap_of_thread HEAP_TLS_MODEL;
void refill(Heap *heap, HeapCache *cache, const HeapCache *other);
uint64_t seen_of(const HeapCache *cache);
Heap *attached(void);
"""


def found_in(tmp_path: Path, file: str, code: str, table: dict[str, tuple[str, ...]] = TABLE) -> list[str]:
    for name, text in (("heap/heap.h", HEADER), (file, code)):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return writers.check(tmp_path, table)


WRITES = [
    "heap->cache.is_closed = true;",
    "heap->cache . is_closed=true;",
    "heap\n->cache\n.is_closed\n= true;",
    "heap->cache = (HeapCache){0};",
    "heap->cache.seen += 2;",
    "heap->cache.seen -= 2;",
    "heap->cache.seen |= 2;",
    "heap->cache.seen &= ~2u;",
    "heap->cache.seen <<= 1;",
    "heap->cache.seen >>= 1;",
    "heap->cache.seen++;",
    "heap->cache.seen--;",
    "++heap->cache.seen;",
    "if (x) --heap->cache.seen;",
    "(heap->cache.seen)++;",
    "int x = heap->cache.is_closed = false;",
    "heap->cache.slots[i][heap->lock.rank] = NULL;",
    "int *x = taken[heap->cache.seen++];",
    "heap->magazine[class_index].top = x;",
    "STORE_RELAXED(heap->cache.seen, 1);",
    "STORE_RELAXED( heap->magazine[index].top, heap_slots(heap, index));",
    "ADD_RELAXED(heap->cache.seen, 1);",
    "ADD_RELEASE(heap->cache.seen, 1);",
    "atomic_store_explicit(&heap->cache.seen, 1, memory_order_release);",
    "atomic_fetch_add_explicit(&heap->cache.seen, 1, memory_order_relaxed);",
    "x = atomic_fetch_or(&heap->cache.seen, 1);",
    "x = atomic_exchange(&heap->cache.seen, 1);",
    "atomic_compare_exchange_strong(&heap->cache.seen, &x, 1);",
    "HeapCache *cache = &heap->cache;",
    "_Atomic uint64_t *seen = (_Atomic uint64_t *)&heap->cache.seen;",
    "refill(NULL, &heap->cache, NULL);",
    "refill(NULL, (HeapCache *)&heap->cache, NULL);",
    "return &heap->cache;",
    "x = is_first ? &heap->cache : NULL;",
    "memset(&heap->cache, 0, sizeof heap->cache);",
    "memset(heap->cache.slots, 0, sizeof heap->cache.slots);",
    "memcpy((void *)heap->cache.slots, x, 8);",
    '__asm__("incq %0" : "+m"(heap->cache.seen));',
    "holding->owner->cache.is_closed = true;",
    "heap_shared.cache.is_closed = true;",
    "heap_of_thread->cache.is_closed = true;",
    "attached()->cache.is_closed = true;",
    "(*heap).cache.is_closed = true;",
    "((Heap *)x)->cache.is_closed = true;",
    "heaps[i]->cache.is_closed = true;",
    "Heap *to = x, *from = x; from->cache.is_closed = true;",
    "for (Heap *each = x; each; each = each->next) each->cache.is_closed = true;",
]

READS = [
    "x = heap->cache.is_closed;",
    "if (heap->cache.seen == 1 || heap->cache.seen <= 2 || heap->cache.seen != 3 || heap->cache.seen >= 4) x++;",
    "while (heap->cache.is_closed) ++x;",
    "if (heap->cache.is_closed) --x;",
    "x = y & heap->cache.seen;",
    "x = (y) & heap->cache.seen;",
    "x = y[1] & heap->cache.seen;",
    "x = y && heap->cache.is_closed;",
    "x = LOAD_RELAXED(heap->cache.seen) + 1;",
    "x = atomic_load_explicit(&heap->cache.seen, memory_order_acquire);",
    "x = atomic_load(&heap->cache.seen);",
    "const HeapCache *cache = &heap->cache;",
    "const HeapCache *const cache = &heap->cache;",
    "x = seen_of(&heap->cache);",
    "refill(heap, NULL, &heap->cache);",
    "x = cache == &heap->cache;",
    "STORE_RELAXED(x, heap->cache.seen);",
    "memcpy(x, heap->cache.slots, sizeof heap->cache.slots);",
    "heap->cache.large->next = x;",
    "x = &heap->cache.large->next;",
    "x = sizeof(heap->cache) - offsetof(Heap, cache);",
    "/* heap->cache.is_closed = true; */",
    "os_lock(&heap->lock);",
    "supply.cache.is_closed = true;",
    "hak_heap_t *heap = x; heap->cache.is_closed = true;",
]


def in_function(statement: str) -> str:
    return f"static void f(Heap *heap, Heap **heaps, Holding *holding) {{\n    {statement}\n}}\n"


@pytest.mark.parametrize("statement", WRITES)
def test_planted_write_is_found(tmp_path: Path, statement: str) -> None:
    found = found_in(tmp_path, "alloc/x.c", in_function(statement))
    assert len(found) == 1, found
    assert found[0].startswith(f"alloc/x.c:{3 if chr(10) in statement else 2}: writes ")


@pytest.mark.parametrize("statement", WRITES)
def test_write_of_the_folder_itself_is_allowed(tmp_path: Path, statement: str) -> None:
    assert found_in(tmp_path, "cache/x.h", in_function(statement)) == []


@pytest.mark.parametrize("statement", READS)
def test_read_is_free(tmp_path: Path, statement: str) -> None:
    assert found_in(tmp_path, "alloc/x.c", in_function(statement)) == []


def test_file_may_be_named_instead_of_a_folder(tmp_path: Path) -> None:
    table = {**TABLE, "cache": ("alloc/zero.",)}
    code = in_function("heap->cache.is_closed = true;")
    assert found_in(tmp_path, "alloc/zero.c", code, table) == []
    assert found_in(tmp_path, "alloc/zeroes.c", code, table) == [
        "alloc/zeroes.c:2: writes heap->cache.is_closed; only alloc/zero. may write `cache`"
    ]


@pytest.mark.parametrize(
    ("member", "expected"),
    [
        ("HeapZero zero;", ["zero"]),
        ("struct { int a; struct { int c; } d; } zero;", ["zero"]),
        ("_Atomic uint64_t mallocs, frees;", ["mallocs", "frees"]),
        ("Slab *oldest, *newest;", ["oldest", "newest"]),
        ("_Alignas(64) _Atomic(Heap *) next;", ["next"]),
        ("void *slots[COUNT + 1][SIZE(8)];", ["slots"]),
    ],
)
def test_member_without_a_row_is_found(tmp_path: Path, member: str, expected: list[str]) -> None:
    header = HEADER.replace("struct Heap {\n    Magazine", f"struct Heap {{\n    {member}\n    Magazine")
    assert found_in(tmp_path, "heap/heap.h", header) == [
        f"struct Heap has `{name}`; WRITERS has no row for it" for name in expected
    ]


def test_row_without_a_member_is_found(tmp_path: Path) -> None:
    table = {**TABLE, "zero": ("alloc/",)}
    assert found_in(tmp_path, "heap/heap.h", HEADER, table) == [
        "WRITERS has a row `zero`; struct Heap has no such part"
    ]
    assert len(found_in(tmp_path, "heap/heap.h", "", TABLE)) == len(TABLE)
