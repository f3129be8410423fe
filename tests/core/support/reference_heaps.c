/*
 * support/reference_heaps.c - heaps: their accounts, and what their limits must say.
 */
#include <string.h>

#include "support/reference.h"
#include "support/require.h"
#include "support/stats.h"

/* ---- Find ---- */

static ReferenceHeap *hold(Reference *reference, unsigned wish, bool is_wanted_live) {
    for (unsigned step = 0; step < REFERENCE_HEAPS; step++) {
        ReferenceHeap *heap = &reference->heaps[(wish + step) % REFERENCE_HEAPS];
        if (reference_heap_is_busy(heap) || (heap->handle != NULL) != is_wanted_live) continue;
        heap->is_held = true;
        return heap;
    }
    return NULL;
}

ReferenceHeap *reference_hold_heap(Reference *reference, unsigned wish) { return hold(reference, wish, true); }
ReferenceHeap *reference_hold_no_heap(Reference *reference, unsigned wish) { return hold(reference, wish, false); }

static bool may_share(const ReferenceHeap *heap) {
    const hak_heap_stats_t *expected = &heap->expected;
    bool is_limited = expected->soft_limit_bytes != 0 || expected->hard_limit_bytes != 0;
    return heap->handle != NULL && !heap->is_held && !heap->is_private && !is_limited;
}

ReferenceHeap *reference_share_heap(Reference *reference, unsigned wish) {
    for (unsigned step = 0; step < REFERENCE_HEAPS; step++) {
        ReferenceHeap *heap = &reference->heaps[(wish + step) % REFERENCE_HEAPS];
        if (!may_share(heap)) continue;
        heap->was_shared |= heap->sharers > 0;
        heap->sharers++;
        return heap;
    }
    return NULL;
}

/* ---- Begin and end ---- */

void reference_heap_enter(Reference *reference, ReferenceHeap *heap, hak_heap_t *handle,
                          const hak_heap_options_t *options) {
    REQUIRE(handle != NULL);
    *heap = (ReferenceHeap){.handle = handle,
                            .number = heap->number,
                            .made_blocks = 1,
                            .made_bytes = sizes_live_bytes(hak_usable_size(handle)),
                            .is_held = heap->is_held,
                            .is_private = options->is_private != 0,
                            .alignment = options->alignment_bytes == 8 ? SIZES_ALIGN_8 : SIZES_C,
                            .expected = HAK_HEAP_STATS_INIT};
    if (heap->number != 0) { /* its entry in the list of numbers: three words */
        heap->made_blocks++;
        heap->made_bytes += sizes_live_bytes(sizes_usable_bytes(SIZES_C, 3 * sizeof(void *)));
    }
    heap->expected.soft_limit_bytes = options->soft_limit_bytes;
    heap->expected.hard_limit_bytes = options->hard_limit_bytes;
    reference->live_blocks += heap->made_blocks;
    reference->live_bytes += heap->made_bytes;
}

void reference_heap_lose(Reference *reference, ReferenceHeap *heap) {
    reference->live_blocks -= heap->made_blocks;
    reference->live_bytes -= heap->made_bytes;
    heap->handle = NULL;
    heap->number = 0;
}

hak_heap_t *reference_heap_leave(Reference *reference, ReferenceHeap *heap) {
    hak_heap_t *handle = heap->handle;
    for (unsigned index = 0; index < REFERENCE_BLOCKS; index++) {
        ReferenceBlock *block = &reference->blocks[index];
        if (block->address == NULL || block->heap != heap) continue;
        if (heap->is_private) {
            REQUIRE(reference_hold_live(reference, index) == block);
            (void)reference_leave(reference, block);
        } else {
            block->heap = NULL;
        }
    }
    reference_heap_lose(reference, heap);
    return handle;
}

/* ---- Limits ---- */

static bool is_below_soft_limit(const hak_heap_stats_t *expected, uint64_t bytes) {
    return expected->soft_limit_bytes == 0 || bytes <= expected->soft_limit_bytes;
}

/* The OS may have refused what the soft limit let pass, or the soft limit itself: the heap says which. */
static void learn_soft_refusals(ReferenceHeap *heap) {
    hak_heap_stats_t stats = stats_of_heap(heap->handle);
    uint64_t more = stats.soft_refusals - heap->expected.soft_refusals;
    REQUIRE_AT_MOST(more, 1);
    heap->expected.soft_refusals += more;
}

bool reference_heap_agrees(ReferenceHeap *heap, uint64_t more_bytes, bool is_refused, bool has_os_refused) {
    hak_heap_stats_t *expected = &heap->expected;
    uint64_t wanted_bytes = expected->used_bytes + more_bytes;
    if (expected->hard_limit_bytes != 0 && wanted_bytes > expected->hard_limit_bytes) {
        expected->hard_refusals++;
        return is_refused;
    }
    if (is_below_soft_limit(expected, wanted_bytes)) return !is_refused || has_os_refused;
    SoftLimit before = heap->soft;
    uint64_t refusals = expected->soft_refusals;
    heap->soft = SOFT_REFUSED;
    heap->awaited_bytes = 0;
    if (before == SOFT_REFUSED) return !is_refused || has_os_refused;
    if (is_refused && has_os_refused)
        learn_soft_refusals(heap);
    else
        expected->soft_refusals += is_refused;
    if (expected->soft_refusals > refusals) heap->awaited_bytes = more_bytes;
    return before == SOFT_OPEN || is_refused;
}

void reference_heap_limits(ReferenceHeap *heap, uint64_t soft_limit_bytes, uint64_t hard_limit_bytes) {
    heap->expected.soft_limit_bytes = soft_limit_bytes;
    heap->expected.hard_limit_bytes = hard_limit_bytes;
    heap->soft = SOFT_OPEN;
}

void reference_heap_check(const ReferenceHeap *heap) {
    hak_heap_stats_t stats = stats_of_heap(heap->handle);
    REQUIRE_EQUAL(stats.used_bytes, heap->expected.used_bytes);
    REQUIRE_EQUAL(stats.used_blocks, heap->expected.used_blocks);
    REQUIRE_AT_LEAST(stats.peak_bytes, heap->expected.peak_bytes);
    if (!heap->was_shared) REQUIRE_EQUAL(stats.peak_bytes, heap->expected.peak_bytes);
    REQUIRE_EQUAL(stats.soft_limit_bytes, heap->expected.soft_limit_bytes);
    REQUIRE_EQUAL(stats.hard_limit_bytes, heap->expected.hard_limit_bytes);
    REQUIRE_EQUAL(stats.soft_refusals, heap->expected.soft_refusals);
    REQUIRE_EQUAL(stats.hard_refusals, heap->expected.hard_refusals);
}
