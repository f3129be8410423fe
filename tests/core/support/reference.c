/*
 * support/reference.c - enter, resize, leave, compare.
 */
#include "support/reference.h"

#include <stdlib.h>
#include <string.h>

#include "support/pattern.h"
#include "support/require.h"
#include "support/stats.h"

static size_t alignment_of(ReferenceKind kind, const ReferenceHeap *heap, size_t bytes) {
    bool is_align_8 = kind == REFERENCE_ALIGN_8 || (kind == REFERENCE_OF_HEAP && heap->is_align_8);
    if (is_align_8 || bytes <= 8 || (kind == REFERENCE_OBJECT && bytes > 16 && bytes <= 24)) return 8;
    return 16;
}

/* ---- Accounts ---- */

static bool is_below_soft_limit(const hak_heap_stats_t *expected, uint64_t bytes) {
    return expected->soft_limit_bytes == 0 || bytes <= expected->soft_limit_bytes;
}

static void account(Reference *reference, ReferenceHeap *heap, size_t bytes_before, size_t bytes_after) {
    reference->live_bytes += bytes_after - bytes_before;
    if (heap == NULL) return;
    hak_heap_stats_t *expected = &heap->expected;
    expected->used_bytes += bytes_after - bytes_before;
    if (expected->used_bytes > expected->peak_bytes) expected->peak_bytes = expected->used_bytes;
    if (!is_below_soft_limit(expected, expected->used_bytes)) return;
    if (bytes_after < bytes_before)
        heap->soft = SOFT_FRESH;
    else if (heap->soft == SOFT_REFUSED)
        heap->soft = SOFT_OPEN;
}

static void account_blocks(Reference *reference, ReferenceHeap *heap, uint64_t more) {
    reference->live_blocks += more;
    if (heap != NULL) heap->expected.used_blocks += more;
}

bool reference_heap_agrees(ReferenceHeap *heap, uint64_t more_bytes, bool is_refused) {
    hak_heap_stats_t *expected = &heap->expected;
    uint64_t wanted_bytes = expected->used_bytes + more_bytes;
    if (expected->hard_limit_bytes != 0 && wanted_bytes > expected->hard_limit_bytes) {
        expected->hard_refusals++;
        return is_refused;
    }
    if (is_below_soft_limit(expected, wanted_bytes)) return !is_refused;
    bool is_right = heap->soft == SOFT_OPEN || is_refused == (heap->soft == SOFT_FRESH);
    expected->soft_refusals += is_refused;
    heap->soft = SOFT_REFUSED;
    return is_right;
}

void reference_heap_limits(ReferenceHeap *heap, uint64_t soft_limit_bytes, uint64_t hard_limit_bytes) {
    heap->expected.soft_limit_bytes = soft_limit_bytes;
    heap->expected.hard_limit_bytes = hard_limit_bytes;
    heap->soft = SOFT_OPEN;
}

/* ---- Blocks ---- */

static void note(Reference *reference, ReferenceBlock *slot, void *address, size_t bytes) {
    REQUIRE(address != NULL);
    REQUIRE_EQUAL((uintptr_t)address % alignment_of(slot->kind, slot->heap, bytes), 0);
    REQUIRE_EQUAL(hak_owns(address), 1);
    slot->address = address;
    slot->bytes = bytes;
    slot->usable_bytes = hak_usable_size(address);
    slot->key = reference->next_key++;
    REQUIRE_AT_LEAST(slot->usable_bytes, bytes);
    pattern_fill(address, bytes, slot->key);
}

void reference_enter(Reference *reference, ReferenceBlock *slot, void *address, size_t bytes, ReferenceKind kind,
                     ReferenceHeap *heap) {
    REQUIRE(slot->address == NULL);
    slot->kind = kind;
    slot->heap = heap;
    note(reference, slot, address, bytes);
    account(reference, heap, 0, slot->usable_bytes);
    account_blocks(reference, heap, 1);
}

void *reference_leave(Reference *reference, ReferenceBlock *slot) {
    void *address = slot->address;
    REQUIRE(pattern_holds(address, slot->bytes, slot->key));
    REQUIRE_EQUAL(hak_usable_size(address), slot->usable_bytes);
    account(reference, slot->heap, slot->usable_bytes, 0);
    account_blocks(reference, slot->heap, (uint64_t)-1);
    slot->address = NULL;
    return address;
}

void reference_resize(Reference *reference, ReferenceBlock *slot, void *address, size_t bytes) {
    size_t kept_bytes = bytes < slot->bytes ? bytes : slot->bytes, former_bytes = slot->usable_bytes;
    REQUIRE(address != NULL);
    REQUIRE(pattern_holds_prefix(address, kept_bytes, slot->bytes, slot->key));
    note(reference, slot, address, bytes);
    account(reference, slot->heap, former_bytes, slot->usable_bytes);
}

/* ---- Heaps ---- */

void reference_heap_enter(Reference *reference, ReferenceHeap *heap, hak_heap_t *handle,
                          const hak_heap_options_t *options) {
    REQUIRE(handle != NULL);
    *heap = (ReferenceHeap){.handle = handle,
                            .is_private = options->is_private != 0,
                            .is_align_8 = options->alignment_bytes == 8,
                            .expected = HAK_HEAP_STATS_INIT};
    heap->expected.soft_limit_bytes = options->soft_limit_bytes;
    heap->expected.hard_limit_bytes = options->hard_limit_bytes;
    reference->live_blocks++;
    reference->live_bytes += hak_usable_size(handle);
}

hak_heap_t *reference_heap_leave(Reference *reference, ReferenceHeap *heap) {
    hak_heap_t *handle = heap->handle;
    for (size_t number = 0; number < REFERENCE_BLOCKS; number++) {
        ReferenceBlock *slot = &reference->blocks[number];
        if (slot->address == NULL || slot->heap != heap) continue;
        if (heap->is_private) {
            (void)reference_leave(reference, slot);
        } else {
            slot->kind = heap->is_align_8 ? REFERENCE_ALIGN_8 : REFERENCE_C;
            slot->heap = NULL;
        }
    }
    reference->live_blocks--;
    reference->live_bytes -= hak_usable_size(handle);
    heap->handle = NULL;
    return handle;
}

/* ---- Checks ---- */

static int by_address(const void *left, const void *right) {
    const ReferenceBlock *const *first = left, *const *second = right;
    return ((*first)->address > (*second)->address) - ((*first)->address < (*second)->address);
}

static void check_heap(const ReferenceHeap *heap) {
    hak_heap_stats_t stats = HAK_HEAP_STATS_INIT;
    REQUIRE_EQUAL(hak_heap_stats_get(heap->handle, &stats), 0);
    REQUIRE_EQUAL(stats.used_bytes, heap->expected.used_bytes);
    REQUIRE_EQUAL(stats.used_blocks, heap->expected.used_blocks);
    REQUIRE_EQUAL(stats.peak_bytes, heap->expected.peak_bytes);
    REQUIRE_EQUAL(stats.soft_limit_bytes, heap->expected.soft_limit_bytes);
    REQUIRE_EQUAL(stats.hard_limit_bytes, heap->expected.hard_limit_bytes);
    REQUIRE_EQUAL(stats.soft_refusals, heap->expected.soft_refusals);
    REQUIRE_EQUAL(stats.hard_refusals, heap->expected.hard_refusals);
}

void reference_check(Reference *reference) {
    const ReferenceBlock *sorted[REFERENCE_BLOCKS];
    size_t count = 0;
    for (size_t number = 0; number < REFERENCE_BLOCKS; number++) {
        const ReferenceBlock *slot = &reference->blocks[number];
        if (slot->address == NULL) continue;
        REQUIRE(pattern_holds(slot->address, slot->bytes, slot->key));
        sorted[count++] = slot;
    }
    qsort(sorted, count, sizeof *sorted, by_address);
    for (size_t number = 1; number < count; number++)
        REQUIRE_AT_LEAST((uintptr_t)sorted[number]->address,
                         (uintptr_t)sorted[number - 1]->address + sorted[number - 1]->usable_bytes);
    for (size_t number = 0; number < REFERENCE_HEAPS; number++)
        if (reference->heaps[number].handle != NULL) check_heap(&reference->heaps[number]);
}

void reference_check_stats(Reference *const *references, size_t count) {
    uint64_t live_blocks = 0, live_bytes = 0;
    for (size_t number = 0; number < count; number++) {
        live_blocks += references[number]->live_blocks;
        live_bytes += references[number]->live_bytes;
    }
    hak_stats_t stats = stats_checked();
    REQUIRE_EQUAL(stats.live_blocks, live_blocks);
    if (stats_are_of_guarded_blocks())
        REQUIRE_AT_LEAST(stats.live_bytes, live_bytes);
    else
        REQUIRE_EQUAL(stats.live_bytes, live_bytes);
    REQUIRE_EQUAL(hak_check(), 0);
}
