/*
 * alloc/malloc.h - malloc of a small block: what is inlined into every entry point, and its slow path.
 *
 * Layer: alloc. No lock, no atomic read-modify-write, no call unless the magazine is empty or closed. Thread rule:
 * `heap` is the caller's.
 *
 * malloc and free announce themselves by a counter before they touch a magazine, and by its twin afterwards. A thread
 * that reclaims a parked thread's cache closes its magazines, issues a barrier in all threads, and goes on only if
 * each counter equals its twin (reclaim.c). So reclaiming costs the fast path one plain store.
 */
#ifndef HAK_ALLOC_MALLOC_H
#define HAK_ALLOC_MALLOC_H

#include "cache/magazine.h"
#include "cache/owner.h"
#include "heap/heap.h"

/* Announces a malloc; returns its number, for heap_malloc_done. */
HAK_INLINE uint64_t heap_malloc_announce(Heap *heap) {
    uint64_t number = LOAD_RELAXED(heap->requests.mallocs) + 1;
    STORE_RELAXED(heap->requests.mallocs, number);
    COMPILER_BARRIER();
    return number;
}

/* The malloc is done: its block was popped. */
HAK_INLINE void heap_malloc_done(Heap *heap, uint64_t number) { owner_malloc_done(heap, number); }

/* Takes back the announcement of a malloc. */
HAK_INLINE void heap_malloc_withdraw(Heap *heap) {
    STORE_RELAXED(heap->requests.mallocs, LOAD_RELAXED(heap->requests.mallocs) - 1);
}

/* False: go on with heap_malloc_slow; the request stays announced until that is done. */
HAK_INLINE bool heap_malloc(Heap *heap, size_t class_index, void **block) {
    uint64_t number = heap_malloc_announce(heap);
    if (HAK_UNLIKELY(!magazine_pop(heap, class_index, block))) return false;
    heap_malloc_done(heap, number);
    return true;
}

/* After heap_malloc failed: gives the thread a heap if it has none, refills the magazine. NULL, errno ENOMEM: out of
 * memory. */
void *heap_malloc_slow(Heap *heap, unsigned class_index);

/* Without a magazine: large classes, and threads past their end. Counts the request. */
void *heap_malloc_direct(Heap *heap, unsigned class_index);

#endif
