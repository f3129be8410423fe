/*
 * lifecycle/pool.c - heaps are never unmapped: one whose thread or host has ended waits here for the next.
 *
 * Layer: lifecycle. Thread rule: any thread, no lock held.
 */
#include "lifecycle/pool.h"

#include "cache/magazine.h"
#include "heap/heap_all.h"
#include "retention/inherited.h"
#include "superslab/metadata.h"

static Heap *pool; /* under heap_list_lock */

void pool_lock_at_rest(Heap *heap, Lock *outer) {
    enum { WAIT_MS = 1 };
    for (;;) {
        inherited_put_right(); /* who was purging may be a thread of the parent's */
        if (outer != NULL) lock_acquire(outer);
        lock_acquire(&heap->lock);
        if (heap->slabs.purging_slabs == 0) return;
        lock_release(&heap->lock);
        if (outer != NULL) lock_release(outer);
        os_sleep_ms(WAIT_MS);
    }
}

Heap *pool_take(HeapKind kind) {
    lock_acquire(&heap_list_lock);
    Heap *heap = pool;
    /* While this thread holds all locks it waits for nobody, and a new heap begins with its lock held, as all are. */
    if (heap != NULL && !(lock_holds_all && heap->slabs.purging_slabs != 0)) {
        pool = heap->next_pooled;
    } else {
        heap = metadata_map(sizeof *heap);
        if (heap != NULL) {
            heap->lock.rank = LOCK_RANK_HEAP;
            heap_list_add(heap);
            if (lock_holds_all) lock_acquire(&heap->lock);
        }
    }
    lock_release(&heap_list_lock);
    if (heap == NULL) return NULL;
    /* A slab that its former thread was purging goes to heap_shared, not to the new thread. */
    pool_lock_at_rest(heap, NULL);
    heap->kind = kind;
    if (kind == HEAP_THREAD) atomic_fetch_add_explicit(&heap_thread_count, 1, memory_order_relaxed);
    magazines_initialize(heap);
    for (unsigned index = 1; index <= SIZE_CLASS_COUNT; index++)
        STORE_RELAXED(heap->magazines.top[index], magazine_slots(heap, index));
    magazines_open(heap);
    lock_release(&heap->lock);
    return heap;
}

uint64_t pool_retire(Heap *heap) {
    uint64_t mallocs = LOAD_RELAXED(heap->requests.mallocs) - (uint64_t)LOAD_RELAXED(heap->alloc.rebased);
    atomic_fetch_add_explicit(&heap_retired_mallocs, mallocs, memory_order_relaxed);
    uint64_t live = mallocs - LOAD_RELAXED(heap->requests.frees);
    STORE_RELAXED(heap->requests.mallocs, 0);
    STORE_RELAXED(heap->requests.mallocs_done, 0);
    STORE_RELAXED(heap->requests.frees, 0);
    STORE_RELAXED(heap->requests.frees_done, 0);
    STORE_RELAXED(heap->alloc.rebased, 0);
    heap->alloc.frees_at_flush = 0;
    heap->alloc.quick_flushes = 0;
    heap->alloc.rebase_at_frees = 0;
    heap->kind = HEAP_POOLED;
    return live;
}

/* A retired heap's lists are zero and its slots unused, so its OS pages can go. WARM_HEAPS keep theirs for the next
 * threads. */
static void purge_arrays(Heap *heap) {
    uintptr_t start = round_up_bytes((uintptr_t)heap->small_slots, os_page_bytes);
    uintptr_t end = ((uintptr_t)heap + sizeof *heap) / os_page_bytes * os_page_bytes;
    if (end > start) (void)os_purge((void *)start, end - start);
    for (unsigned piece = 0; piece < heap->cache.slot_piece_count; piece++)
        (void)os_purge(heap->cache.slot_piece[piece], magazine_slot_piece_bytes());
}

void pool_put(Heap *heap) {
    enum { WARM_HEAPS = 8 };
    lock_acquire(&heap_list_lock);
    unsigned pooled_count = 0;
    for (Heap *pooled = pool; pooled != NULL && pooled_count < WARM_HEAPS; pooled = pooled->next_pooled) pooled_count++;
    lock_release(&heap_list_lock);
    if (pooled_count == WARM_HEAPS) purge_arrays(heap);
    lock_acquire(&heap_list_lock);
    heap->next_pooled = pool;
    pool = heap;
    lock_release(&heap_list_lock);
}

/* A heap of kind HEAP_NONE was listed, and its thread had not got further. */
void pool_gather(void) {
    lock_acquire(&heap_list_lock);
    pool = NULL;
    for (Heap *heap = LOAD_RELAXED(heap_list); heap != NULL; heap = heap->next) {
        if (heap->kind != HEAP_POOLED && heap->kind != HEAP_NONE) continue;
        heap->next_pooled = pool;
        pool = heap;
    }
    lock_release(&heap_list_lock);
}
