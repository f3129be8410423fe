/*
 * alloc/private_heap.c - a heap that belongs to a host: its slabs serve nobody else, and go with it.
 *
 * Layer: alloc. Thread rule: a private heap is used by one thread at a time. Reclaim, purge, fork, stats and checks
 * treat it like a thread's.
 *
 * States: (pool) -private_heap_new-> HEAP_PRIVATE -private_heap_destroy-> (pool).
 */
#include "alloc/private_heap.h"

#include "alloc/large.h"
#include "cache/magazine.h"
#include "heap/heap_large.h"
#include "heap/heap_slabs.h"
#include "heap/owner_lock.h"
#include "lifecycle/pool.h"
#include "lifecycle/start.h"
#include "retention/retention.h"
#include "slab/slab_guard.h"
#include "superslab/superslab.h"

Heap *private_heap_new(void) {
    core_start();
    return pool_take(HEAP_PRIVATE);
}

/* ---- Large blocks ---- */

void private_heap_large_add(Heap *heap, void *block) { heap_large_insert(heap, large_first_slab(block)); }

void private_heap_large_remove(Heap *heap, void *block) { heap_large_remove(heap, large_first_slab(block)); }

bool private_heap_owns(const Heap *heap, const void *block) {
    if (registry_slab_class(block) - 1u < SIZE_CLASS_COUNT) return private_heap_slab_owner(block) == heap;
    const Slab *first = large_first_slab(block);
    return first != NULL && first->large_heap == heap;
}

bool private_heap_owns_any(const void *block) {
    const Slab *slab = heap_slab_of_block(block);
    if (slab != NULL) {
        OwnerLock held = {heap_of_thread, NULL, 0, 0};
        owner_lock_move(&held, slab);
        bool is_private = held.owner != NULL && held.owner->kind == HEAP_PRIVATE;
        owner_lock_end(&held);
        return is_private;
    }
    const Slab *first = large_first_slab(block);
    return first != NULL && first->large_heap != NULL;
}

/* ---- The end ---- */

static void discard_slabs(Slab *slabs) {
    while (slabs != NULL) {
        Slab *next = slabs->next;
        if (HAK_UNLIKELY(slab_is_guarded())) slab_guard_discard(slabs);
        superslab_slab_discard(slabs);
        slabs = next;
    }
}

static void free_large_blocks(Slab *large) {
    while (large != NULL) {
        Slab *next = large->large_next;
        large->large_heap = NULL;
        large_free_purged((void *)slab_address(large));
        large = next;
    }
}

void private_heap_destroy(Heap *heap) {
    lock_hand_fills();                        /* until the heap is in the pool */
    pool_lock_at_rest(heap, &heap_list_lock); /* so that reclaim has no blocks of the heap in hand */
    /* The slabs are detached until they are back in the supply: a fork and hak_check wait. */
    detached_begin();
    magazines_reset_all(heap);
    int64_t used_bytes = LOAD_RELAXED(heap->used_bytes);
    Slab *slabs = heap_slabs_take_all(heap), *large = heap_large_take_all(heap);
    (void)pool_retire(heap);
    lock_release(&heap->lock);
    lock_release(&heap_list_lock);
    discard_slabs(slabs);
    free_large_blocks(large);
    detached_end();
    retention_after_return(heap, used_bytes);
    pool_put(heap);
    lock_hand_empties();
}
