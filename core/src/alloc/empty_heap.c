/*
 * alloc/empty_heap.c - a heap whose last live block was freed flushes its magazines, so that its SuperSlabs die.
 *
 * Layer: alloc. Thread rule: see empty_heap.h.
 */
#include "alloc/empty_heap.h"

#include "cache/flush.h"
#include "cache/owner.h"
#include "cache/reclaim.h"
#include "heap/heap_all.h"
#include "retention/retention.h"

/* ---- Rebase ---- */

static int64_t own_live_blocks(const Heap *heap) {
    int64_t counted = (int64_t)(LOAD_RELAXED(heap->requests.mallocs) - LOAD_RELAXED(heap->requests.frees));
    return counted - LOAD_RELAXED(heap->alloc.rebased);
}

/* Detecting the process's last free costs no shared counter: a heap notices that its frees meet its mallocs. With
 * cross-thread frees they never meet. So the heap sets
 *
 *     mallocs = frees + live,  live = the live blocks of all heaps, or its own if these are fewer and not negative
 *
 * and adds the difference to `rebased` (I12). This is exact while the other threads rest; otherwise the next rebase, at
 * frees + live / 2 + MAGAZINE_BLOCKS_MAX / 2, corrects it. */
void empty_heap_rebase(Heap *heap) {
    uint64_t live = heap_live_blocks();
    int64_t own_live = own_live_blocks(heap);
    if (own_live >= 0 && (uint64_t)own_live < live) live = (uint64_t)own_live; /* the others free the rest */
    uint64_t frees = LOAD_RELAXED(heap->requests.frees);
    int64_t shift = (int64_t)(frees + live - LOAD_RELAXED(heap->requests.mallocs));
    STORE_RELAXED(heap->alloc.rebased, LOAD_RELAXED(heap->alloc.rebased) + shift);
    uint64_t mallocs = LOAD_RELAXED(heap->requests.mallocs) + (uint64_t)shift;
    STORE_RELAXED(heap->requests.mallocs, mallocs);
    owner_malloc_done(heap, mallocs);
    heap->alloc.rebase_at_frees = frees + live / 2 + MAGAZINE_BLOCKS_MAX / 2;
}

/* Another thread may have freed what this heap allocated, or the other way round. Summing over many heaps costs too
 * much. */
bool empty_heap_rebase_is_due(const Heap *heap) {
    enum { THREADS_SUMMED_MAX = 8 };
    if (heap->kind != HEAP_THREAD) return false; /* nobody else frees a private heap's blocks */
    if (LOAD_RELAXED(heap->requests.frees) < heap->alloc.rebase_at_frees) return false;
    uint32_t threads = LOAD_RELAXED(heap_thread_count);
    return own_live_blocks(heap) < 0 || LOAD_RELAXED(heap_retired_live) < 0 ||
           (threads > 1 && threads <= THREADS_SUMMED_MAX);
}

/* ---- Flush ---- */

/* Back-off for a loop that allocates little and frees all of it again and again: after QUICK_FLUSHES_MAX flushes with
 * fewer than QUICK_FLUSH_FREES frees between them, the heap flushes once per DEFERRED_FLUSH_FREES frees. It ends when
 * so many frees pass without the heap becoming empty. If nothing lives in the process, figures do not show the
 * difference: empty_heap_flush_deferred comes first. */
enum { QUICK_FLUSH_FREES = 256, QUICK_FLUSHES_MAX = 16, DEFERRED_FLUSH_FREES = 4096 };

static bool flush_is_due(Heap *heap) {
    uint64_t frees = LOAD_RELAXED(heap->requests.frees) - heap->alloc.frees_at_flush;
    if (heap->alloc.quick_flushes < QUICK_FLUSHES_MAX) {
        heap->alloc.quick_flushes = frees < QUICK_FLUSH_FREES ? heap->alloc.quick_flushes + 1 : 0;
        return true;
    }
    if (frees < DEFERRED_FLUSH_FREES) {
        heap->alloc.is_flush_deferred = true;
        return false;
    }
    if (!heap->alloc.is_flush_deferred) heap->alloc.quick_flushes = 0;
    return true;
}

void empty_heap_flush(Heap *heap) {
    heap->alloc.frees_at_flush = LOAD_RELAXED(heap->requests.frees);
    heap->alloc.is_flush_deferred = false;
    flush_own(heap);
}

void empty_heap_flush_if_due(Heap *heap) {
    if (heap->kind == HEAP_NONE) return;
    bool is_due = flush_is_due(heap);
    if (is_due) empty_heap_flush(heap);
    bool is_alone = LOAD_RELAXED(heap_thread_count) < 2 && LOAD_RELAXED(heap->alloc.rebased) == 0;
    if (!is_alone && (is_due || LOAD_RELAXED(heap->alloc.rebased) != 0)) {
        if (heap_live_blocks() == 0 && is_due) reclaim_others(false);
        if (heap_live_blocks() != 0 && LOAD_RELAXED(heap->alloc.rebased) != 0) empty_heap_rebase(heap);
    }
    if (is_due) retention_after_return(heap, 0);
}

void empty_heap_flush_deferred(void) {
    if (heap_live_blocks() != 0) return;
    if (heap_of_thread->kind == HEAP_THREAD) empty_heap_flush(heap_of_thread);
    reclaim_others(false);
}
