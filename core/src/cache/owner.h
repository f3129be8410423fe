/*
 * cache/owner.h - how a heap's owner says that it is inside the allocator, or outside again.
 *
 * Layer: cache. Thread rule: for the heap's owner; any thread reads it.
 *
 * Inside: mallocs != mallocs_done, or frees != frees_done. Nobody takes the cache of an owner that is inside, nor an
 * account that the owner counts in (api/account_threads.c). A slow path that starts the helper may allocate: this inner
 * request ends the state for the rest of the outer one, which has its block by then.
 */
#ifndef HAK_CACHE_OWNER_H
#define HAK_CACHE_OWNER_H

#include "heap/heap.h"

/* The owner is outside again. release; pairs with the acquires in owner_is_outside: the thread that takes the cache
 * sees all that the owner did to it, and to the blocks in it. */
HAK_INLINE void owner_malloc_done(Heap *heap, uint64_t number) {
    atomic_store_explicit(&heap->requests.mallocs_done, number, memory_order_release);
}

HAK_INLINE void owner_free_done(Heap *heap, uint64_t number) {
    atomic_store_explicit(&heap->requests.frees_done, number, memory_order_release);
}

/* The owner is inside, without a malloc or free: around its own flush, and around what it counts in an account. */
HAK_INLINE void owner_enter(Heap *heap) {
    STORE_RELAXED(heap->requests.frees_done, LOAD_RELAXED(heap->requests.frees) - 1);
    COMPILER_BARRIER();
}

HAK_INLINE void owner_leave(Heap *heap) { owner_free_done(heap, LOAD_RELAXED(heap->requests.frees)); }

/* For any thread, after os_barrier_in_all_threads. acquire; pairs with the releases above: all that the owner did is
 * seen. */
HAK_INLINE bool owner_is_outside(const Heap *heap) {
    uint64_t mallocs_done = atomic_load_explicit(&heap->requests.mallocs_done, memory_order_acquire);
    uint64_t frees_done = atomic_load_explicit(&heap->requests.frees_done, memory_order_acquire);
    return LOAD_RELAXED(heap->requests.mallocs) == mallocs_done && LOAD_RELAXED(heap->requests.frees) == frees_done;
}

#endif
