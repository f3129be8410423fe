/*
 * support/operations_misuse.c - what a caller must not do, with on_error=report: one line, and nothing has happened.
 *
 * A free of what is no block may be noticed when it leaves the magazine, so the thread flushes at once.
 */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "support/operations_table.h"
#include "support/pattern.h"
#include "support/require.h"
#include "support/stats.h"

static ReferenceBlock *hold_of_none(Actor *actor, unsigned wish, bool is_large) {
    enum { SMALL_BYTES_MAX = 32768 };
    return is_large ? operations_hold_of_none(actor, wish, SMALL_BYTES_MAX + 1, SIZE_MAX)
                    : operations_hold_of_none(actor, wish, 0, SMALL_BYTES_MAX);
}

typedef bool Misuse(Actor *actor, const Record *record); /* false: there was nothing to misuse */

static bool free_twice(Actor *actor, const Record *record) {
    ReferenceBlock *block = hold_of_none(actor, record->a, (record->b >> 4) % 4 == 0);
    if (block == NULL) return false;
    void *address = reference_leave(actor->reference, block);
    hak_free(address);
    hak_free(address);
    return true;
}

static bool free_inside(Actor *actor, const Record *record) {
    ReferenceBlock *block = hold_of_none(actor, record->a, (record->b >> 4) % 4 == 0);
    if (block == NULL) return false;
    if (block->usable_bytes >= 16) hak_free(block->address + 8 * (1 + record->b % (block->usable_bytes / 8 - 1)));
    bool is_done = block->usable_bytes >= 16;
    reference_let_go_live(actor->reference, block);
    return is_done;
}

static bool free_foreign(Actor *actor, const Record *record) {
    static char foreign[16];
    (void)actor;
    void *address = record->b % 2 == 0 ? (void *)foreign : (void *)((uintptr_t)record->b << 46);
    if (address == NULL) return false;
    if ((record->b & 4) != 0) {
        errno = 0;
        REQUIRE(hak_realloc(address, 100) == NULL);
        REQUIRE_EQUAL(errno, ENOMEM);
    } else {
        hak_free(address);
    }
    return true;
}

static bool free_of_private(Actor *actor, const Record *record) {
    ReferenceBlock *block = reference_hold_live(actor->reference, record->a);
    if (block == NULL) return false;
    bool is_private = block->heap != NULL && block->heap->is_private;
    if (is_private) hak_free(block->address);
    reference_let_go_live(actor->reference, block);
    return is_private;
}

/* What is noticed: a private heap on one side, or an account that holds less than the block. */
static bool is_wrong_heap(const ReferenceHeap *heap, const ReferenceBlock *block) {
    bool is_of_private = block->heap != NULL && block->heap->is_private;
    if (block->heap == heap) return false;
    return heap->is_private || is_of_private || heap->expected.used_bytes < block->usable_bytes;
}

/* A private heap refuses it. An account makes a copy, which is its own, of a private heap's block. */
static bool resize_in_wrong_heap(Actor *actor, ReferenceHeap *heap, const ReferenceBlock *block) {
    enum { BYTES = 100 };
    bool is_of_private = block->heap != NULL && block->heap->is_private;
    if (heap->is_private) {
        REQUIRE(hak_heap_realloc(heap->handle, block->address, BYTES) == NULL);
        return true;
    }
    bool is_limited = heap->expected.soft_limit_bytes != 0 || heap->expected.hard_limit_bytes != 0;
    if (is_limited) return false;
    if (!is_of_private) { /* the account does not hold so much */
        REQUIRE(hak_heap_realloc(heap->handle, block->address, 2 * block->usable_bytes + BYTES) == NULL);
        return true;
    }
    ReferenceBlock *room = reference_hold_empty(actor->reference, 0);
    if (room == NULL) return false;
    void *copy = hak_heap_realloc(heap->handle, block->address, BYTES);
    bool is_same = copy == block->address; /* it fits, so the account did not look whose it is */
    if (copy != NULL && !is_same)
        reference_enter(actor->reference, room, copy, BYTES, heap->alignment, heap);
    else
        reference_let_go_empty(actor->reference, room);
    return !is_same;
}

static bool free_in_wrong_heap(Actor *actor, const Record *record) {
    ReferenceHeap *heap = reference_hold_heap(actor->reference, record->b >> 4);
    if (heap == NULL) return false;
    ReferenceBlock *block = reference_hold_live(actor->reference, record->a);
    bool is_done = true;
    if (block == NULL || !is_wrong_heap(heap, block))
        hak_heap_free(heap->handle, (void *)(uintptr_t)64);
    else if ((record->b & 1) != 0)
        is_done = resize_in_wrong_heap(actor, heap, block);
    else
        hak_heap_free(heap->handle, block->address);
    if (block != NULL) reference_let_go_live(actor->reference, block);
    heap->is_held = false;
    return is_done;
}

/* Given back to the OS: zero, or not mapped any more. */
static bool is_given_back(const hak_heap_t *handle) {
    enum { LOOK_BYTES = 16 }; /* not all of which are zero in a heap that was destroyed */
    uintptr_t page_bytes = (uintptr_t)sysconf(_SC_PAGESIZE);
    unsigned char is_resident;
    if (mincore((void *)((uintptr_t)handle & ~(page_bytes - 1)), 1, &is_resident) != 0) return true;
    return pattern_is_zero(handle, LOOK_BYTES);
}

/* As long as nobody else can have got its memory, and the OS has not: then its use is not found any more (hakmem.h).
 * With guarded blocks it is used again at once. */
static void use_destroyed(const Actor *actor, hak_heap_t *handle, size_t bytes, uint64_t switches) {
    hak_heap_stats_t stats = HAK_HEAP_STATS_INIT;
    for (unsigned use = 0; use < 5 && actor->surroundings->switches() == switches; use++) {
        if (use == 0) REQUIRE_EQUAL(hak_heap_stats_get(handle, &stats), EINVAL);
        if (use == 1) REQUIRE_EQUAL(hak_heap_set_limit(handle, 0, 0), EINVAL);
        if (use > 1 && (sizes_are_guarded() || is_given_back(handle))) return;
        if (use == 2) REQUIRE(hak_heap_malloc(handle, bytes) == NULL && errno == ENOMEM);
        if (use == 3) REQUIRE(hak_heap_realloc(handle, NULL, bytes) == NULL);
        if (use == 4) hak_heap_free(handle, (void *)(uintptr_t)64);
    }
}

static bool destroy_twice(Actor *actor, const Record *record) {
    ReferenceHeap *heap = reference_hold_heap(actor->reference, record->b >> 4);
    if (heap == NULL) return false;
    bool is_plain = heap->number == 0;
    if (is_plain) {
        hak_heap_t *handle = reference_heap_leave(actor->reference, heap);
        uint64_t switches = actor->surroundings->switches();
        hak_heap_destroy(handle);
        hak_heap_destroy(handle);
        if (record->b % 4 == 0) use_destroyed(actor, handle, 1 + record->b, switches);
    }
    heap->is_held = false;
    return is_plain;
}

static bool free_with_wrong_size(Actor *actor, const Record *record) {
    if (!sizes_are_checked()) return false;
    ReferenceBlock *block = hold_of_none(actor, record->a, (record->b >> 4) % 4 == 0);
    if (block == NULL) return false;
    hak_free_sized(block->address, block->usable_bytes + 1 + record->b % 64);
    reference_let_go_live(actor->reference, block);
    return true;
}

static void write_wrongly(Actor *actor, char *address) {
    if (actor->reference->on_write != NULL) actor->reference->on_write(address, 1);
    *address ^= 1;
}

static bool write_beyond_end(Actor *actor, const Record *record) {
    if (!sizes_are_guarded()) return false;
    ReferenceBlock *block = hold_of_none(actor, record->a, false);
    if (block == NULL) return false;
    if (sizes_live_bytes(block->usable_bytes) == block->usable_bytes) { /* a large one, which has no canary */
        reference_let_go_live(actor->reference, block);
        return false;
    }
    write_wrongly(actor, &block->address[block->usable_bytes + record->b % 32]);
    hak_free(reference_leave(actor->reference, block));
    return true;
}

static bool resize_freed(Actor *actor, const Record *record) {
    if (!sizes_are_guarded()) return false;
    ReferenceBlock *block = hold_of_none(actor, record->a, false);
    if (block == NULL) return false;
    void *address = reference_leave(actor->reference, block);
    hak_free(address);
    REQUIRE(hak_realloc(address, record_size(record->b)) == NULL);
    return true;
}

static bool write_after_free(Actor *actor, const Record *record) {
    if (!sizes_are_guarded()) return false;
    ReferenceBlock *block = hold_of_none(actor, record->a, false);
    if (block == NULL) return false;
    size_t bytes = block->usable_bytes;
    char *address = reference_leave(actor->reference, block);
    hak_free(address);
    if (hak_usable_size(address) != bytes) return false; /* the slab is gone */
    write_wrongly(actor, &address[record->b % bytes]);
    void *same = hak_malloc_align8(bytes); /* often the same place; where not, a later malloc finds it */
    if (same != NULL) hak_free(same);
    actor->reference->has_late_lines = true;
    return false;
}

/* Of its heap or of another one. The realloc is reported, and nothing has changed. */
static bool heap_resize_freed(Actor *actor, const Record *record) {
    ReferenceHeap *heap = reference_hold_heap(actor->reference, record->b >> 4);
    if (heap == NULL) return false;
    bool is_large = !sizes_are_guarded() || record->b % 2 == 0;
    ReferenceBlock *block = hold_of_none(actor, record->a, is_large);
    bool is_done = false;
    if (block != NULL) {
        void *address = reference_leave(actor->reference, block);
        hak_free(address);
        is_done = hak_owns(address) != 0;
        if (is_done) REQUIRE(hak_heap_realloc(heap->handle, address, record_size(record->b)) == NULL);
        if (is_done && is_large) hak_heap_free(heap->handle, address);
    }
    reference_heap_check(heap);
    heap->is_held = false;
    return is_done;
}

/* ---- Through a runtime's table. A block whose memory has gone to the OS would be the previous allocator's ---- */

static bool hook_free_twice(Actor *actor, const Record *record) {
    ReferenceBlock *block = hold_of_none(actor, record->a, (record->b >> 4) % 4 == 0);
    const hak_hook_t *hook = operations_hook_of(record->b >> 6);
    if (block == NULL) return false;
    void *address = reference_leave(actor->reference, block);
    hook->free(hook->context, address);
    bool is_done = hak_owns(address) != 0;
    if (is_done) hook->free(hook->context, address);
    return is_done;
}

static bool hook_free_inside(Actor *actor, const Record *record) {
    ReferenceBlock *block = hold_of_none(actor, record->a, (record->b >> 4) % 4 == 0);
    const hak_hook_t *hook = operations_hook_of(record->b >> 6);
    if (block == NULL) return false;
    bool is_done = block->usable_bytes >= 16;
    char *address = block->address;
    if (is_done) hook->free(hook->context, address + 8 * (1 + record->b % (block->usable_bytes / 8 - 1)));
    reference_let_go_live(actor->reference, block);
    return is_done;
}

/* Is reported, and not moved to the previous allocator. Of small blocks only where they are guarded. */
static bool hook_resize_freed(Actor *actor, const Record *record) {
    bool is_large = !sizes_are_guarded() || (record->b >> 4) % 4 == 0;
    ReferenceBlock *block = hold_of_none(actor, record->a, is_large);
    const hak_hook_t *hook = operations_hook_of(record->b >> 6);
    if (block == NULL) return false;
    void *address = reference_leave(actor->reference, block);
    hak_free(address);
    bool is_done = hak_owns(address) != 0;
    if (is_done) REQUIRE(hook->realloc(hook->context, address, record_size(record->b)) == NULL);
    return is_done;
}

void do_misuse(Actor *actor, const Record *record) {
    static Misuse *const misuses[] = {free_twice,         free_inside,      free_foreign,         free_of_private,
                                      free_in_wrong_heap, destroy_twice,    free_with_wrong_size, write_beyond_end,
                                      resize_freed,       write_after_free, hook_free_twice,      hook_free_inside,
                                      hook_resize_freed,  heap_resize_freed};
    if (actor->surroundings == NULL) return;
    stats_option_set("on_error", "report");
    uint64_t lines = actor->surroundings->expect_lines(true);
    bool is_done = misuses[(record->a >> 11) % (sizeof misuses / sizeof *misuses)](actor, record);
    hak_thread_flush();
    uint64_t lines_now = actor->surroundings->expect_lines(actor->reference->has_late_lines);
    if (is_done) REQUIRE_OP(lines_now, >, lines);
    if (!is_done && !actor->reference->has_late_lines) REQUIRE_EQUAL(lines_now, lines);
    if (!actor->reference->has_late_lines) stats_option_set("on_error", "abort");
}
