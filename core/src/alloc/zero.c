/*
 * alloc/zero.c - the heap's last live block was freed: the magazines are flushed, so that its SuperSlabs die.
 *
 * Layer: alloc. Thread rule: see zero.h.
 */
#include "alloc/zero.h"

#include "cache/flush.h"
#include "cache/owner.h"
#include "cache/reclaim.h"
#include "heap/heap_all.h"
#include "retention/retention.h"

/* ---- Whose blocks others free ---- */

static int64_t own_live_blocks(const Heap *heap) {
    return (int64_t)(LOAD_RELAXED(heap->requests.mallocs) - LOAD_RELAXED(heap->requests.frees)) - LOAD_RELAXED(heap->alloc.settled);
}

/* Where blocks are freed by other threads than allocated them, a heap's own counters need not meet when the last live
 * block of the process goes. So it moves its `mallocs` to where they do: exact while the others rest, harmless when they
 * do not. Done anew each time the distance has halved, so it costs nothing. */
void zero_settle(Heap *heap) {
    uint64_t live = heap_live_blocks();
    int64_t own_live = own_live_blocks(heap);
    if (own_live >= 0 && (uint64_t)own_live < live) live = (uint64_t)own_live; /* the rest is others' */
    uint64_t frees = LOAD_RELAXED(heap->requests.frees);
    int64_t shift = (int64_t)(frees + live - LOAD_RELAXED(heap->requests.mallocs));
    STORE_RELAXED(heap->alloc.settled, LOAD_RELAXED(heap->alloc.settled) + shift);
    uint64_t mallocs = LOAD_RELAXED(heap->requests.mallocs) + (uint64_t)shift;
    STORE_RELAXED(heap->requests.mallocs, mallocs);
    owner_malloc_done(heap, mallocs);
    heap->alloc.settle_at_frees = frees + live / 2 + MAGAZINE_BLOCKS_MAX / 2;
}

/* When others may have freed what this heap allocated, or the other way round; looking at many heaps costs too much. */
bool zero_is_due_to_settle(const Heap *heap) {
    enum { THREADS_LOOKED_AT_MAX = 8 };
    if (heap->kind != HEAP_THREAD) return false; /* nobody else frees a private heap's blocks */
    if (LOAD_RELAXED(heap->requests.frees) < heap->alloc.settle_at_frees) return false;
    uint32_t threads = LOAD_RELAXED(heap_thread_count);
    return own_live_blocks(heap) < 0 || LOAD_RELAXED(heap_retired_live) < 0 ||
           (threads > 1 && threads <= THREADS_LOOKED_AT_MAX);
}

/* ---- Zero ---- */

/* A loop that allocates little and frees it again reaches zero each time round. After a number of flushes in quick
 * succession it flushes once in so many frees, until it has made so many without reaching zero; what is cached in between
 * is as few, and heap_finish_zero shows nobody the difference. */
enum { QUICK_ZERO_FREES = 256, QUICK_ZERO_FLUSHES_MAX = 16, PUT_OFF_FREES = 4096 };

static bool zero_flush_is_due(Heap *heap) {
    uint64_t frees = LOAD_RELAXED(heap->requests.frees) - heap->alloc.frees_at_flush;
    if (heap->alloc.quick_zero_flushes < QUICK_ZERO_FLUSHES_MAX) {
        heap->alloc.quick_zero_flushes = frees < QUICK_ZERO_FREES ? heap->alloc.quick_zero_flushes + 1 : 0;
        return true;
    }
    if (frees < PUT_OFF_FREES) {
        heap->alloc.is_zero_put_off = true;
        return false;
    }
    if (!heap->alloc.is_zero_put_off) heap->alloc.quick_zero_flushes = 0;
    return true;
}

void zero_flush(Heap *heap) {
    heap->alloc.frees_at_flush = LOAD_RELAXED(heap->requests.frees);
    heap->alloc.is_zero_put_off = false;
    flush_own(heap);
}

void heap_zero(Heap *heap) {
    if (heap->kind == HEAP_NONE) return;
    bool is_due = zero_flush_is_due(heap);
    if (is_due) zero_flush(heap);
    bool is_alone = LOAD_RELAXED(heap_thread_count) < 2 && LOAD_RELAXED(heap->alloc.settled) == 0;
    if (!is_alone && (is_due || LOAD_RELAXED(heap->alloc.settled) != 0)) {
        if (heap_live_blocks() == 0 && is_due) reclaim_others(false);
        if (heap_live_blocks() != 0 && LOAD_RELAXED(heap->alloc.settled) != 0) zero_settle(heap);
    }
    if (is_due) retention_after_return(heap, 0); /* a fast path came here */
}

void heap_finish_zero(void) {
    if (heap_live_blocks() != 0) return;
    if (heap_of_thread->kind == HEAP_THREAD) zero_flush(heap_of_thread);
    reclaim_others(false);
}
