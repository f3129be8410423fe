/*
 * alloc/private.c - a heap that belongs to a host: its slabs serve nobody else, and go with it.
 *
 * Layer: alloc. Thread rule: a private heap is used by one thread at a time. Reclaim, purge, fork, stats and checks treat
 * it like a thread's.
 *
 * States: (pool) -heap_private_new-> HEAP_PRIVATE -heap_private_destroy-> (pool).
 */
#include "alloc/private.h"

#include "alloc/large.h"
#include "cache/magazine.h"
#include "heap/heap_all.h"
#include "heap/heap_slabs.h"
#include "lifecycle/pool.h"
#include "lifecycle/start.h"
#include "retention/retention.h"
#include "slab/slab_guard.h"
#include "superslab/registry.h"
#include "superslab/superslab.h"

Heap *heap_private_new(void) {
    heap_start();
    return heap_take(HEAP_PRIVATE);
}

/* ---- Large blocks ---- */

void heap_private_large_add(Heap *heap, void *block) {
    TinySlabMeta *first = large_first_slab(block);
    os_lock(&heap->lock);
    first->large_heap = heap;
    first->large_previous = NULL;
    first->large_next = heap->large;
    if (heap->large != NULL) heap->large->large_previous = first;
    heap->large = first;
    os_unlock(&heap->lock);
}

void heap_private_large_remove(Heap *heap, void *block) {
    TinySlabMeta *first = large_first_slab(block);
    os_lock(&heap->lock);
    if (first->large_previous != NULL)
        first->large_previous->large_next = first->large_next;
    else
        heap->large = first->large_next;
    if (first->large_next != NULL) first->large_next->large_previous = first->large_previous;
    first->large_heap = NULL;
    os_unlock(&heap->lock);
}

bool heap_private_owns(const Heap *heap, const void *block) {
    SuperSlab *superslab = ptr_to_superslab(block);
    if (superslab == NULL) return false;
    if (registry_slab_class(block) - 1u < SIZE_CLASS_COUNT)
        return LOAD_RELAXED(superslab->slab[((uintptr_t)block >> SLAB_SHIFT) % SLABS_PER_SUPERSLAB].owner) == heap;
    const TinySlabMeta *first = large_first_slab(block);
    return first != NULL && first->large_heap == heap;
}

/* ---- The end ---- */

static void discard_slabs(TinySlabMeta *slabs) {
    while (slabs != NULL) {
        TinySlabMeta *next = slabs->next;
        if (HAK_UNLIKELY(slab_is_guarded())) slab_guard_discard(slabs);
        superslab_slab_discard(slabs);
        slabs = next;
    }
}

static void free_large_blocks(TinySlabMeta *large) {
    while (large != NULL) {
        TinySlabMeta *next = large->large_next;
        large->large_heap = NULL;
        large_free_purged((void *)slab_address(large));
        large = next;
    }
}

void heap_private_destroy(Heap *heap) {
    os_lock(&heap_list_lock); /* no reclaimer has blocks of it in hand */
    heap_lock_at_rest(heap);
    /* What follows is in nobody's list: a fork and hak_check wait for it. */
    atomic_fetch_add_explicit(&purges_in_flight, 1, memory_order_relaxed);
    heap_classes_start_over(heap);
    int64_t used_bytes = LOAD_RELAXED(heap->used_bytes);
    TinySlabMeta *slabs = heap_slabs_take_all(heap), *large = heap->large;
    heap->large = NULL;
    (void)heap_counters_reset(heap);
    heap->kind = HEAP_POOLED;
    os_unlock(&heap->lock);
    os_unlock(&heap_list_lock);
    discard_slabs(slabs);
    free_large_blocks(large);
    atomic_fetch_sub_explicit(&purges_in_flight, 1, memory_order_relaxed);
    purge_after_return(heap, used_bytes);
    heap_pool(heap);
}
