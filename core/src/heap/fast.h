/*
 * heap/fast.h - malloc and free of a small block: what is inlined into every entry point.
 *
 * Layer: heap. No lock, no atomic read-modify-write, no call unless the magazine is empty, full or closed.
 * Thread rule: `heap` is the caller's.
 *
 * Both announce themselves by a counter before they touch a magazine and by its twin afterwards. A thread that wants
 * to reclaim a parked thread's cache closes its magazines, issues a barrier in all threads, and goes on only if every
 * pair of counters agrees (reclaim.c). So the price of reclaiming is one plain addition here.
 */
#ifndef HAK_HEAP_FAST_H
#define HAK_HEAP_FAST_H

#include "heap/heap.h"
#include "slab/magazine.h"

/* False: go on with heap_malloc_slow; the request stays announced until that is done. */
HAK_INLINE bool heap_malloc(Heap *heap, unsigned class_index, void **block) {
    Magazine *magazine = &heap->magazine[class_index];
    COMPILER_FORGETS(magazine);
    ADD_RELAXED(heap->mallocs, 1);
    COMPILER_BARRIER();
    if (HAK_UNLIKELY(!magazine_pop(magazine, block))) return false;
    ADD_RELEASE(heap->mallocs_done, 1);
    return true;
}

/* How far a free has come; what is left to do is a call that the caller can make its last. */
typedef enum HeapFreeStep {
    HEAP_FREE_DONE,
    HEAP_FREE_ZERO, /* go on with heap_zero */
    HEAP_FREE_SLOW  /* go on with heap_free_slow, or with heap_free_withdraw; it stays announced until then */
} HeapFreeStep;

/* Takes any slab class: what is not of a size class is HEAP_FREE_SLOW. */
HAK_INLINE HeapFreeStep heap_free_fast(Heap *heap, void *block, unsigned slab_class) {
    Magazine *magazine = &heap->magazine[slab_class];
    COMPILER_FORGETS(magazine);
    ADD_RELAXED(heap->frees, 1);
    COMPILER_BARRIER();
    if (HAK_UNLIKELY(!magazine_push(magazine, block))) return HEAP_FREE_SLOW;
    ADD_RELEASE(heap->frees_done, 1);
    return HAK_UNLIKELY(LOAD_RELAXED(heap->frees) == LOAD_RELAXED(heap->mallocs)) ? HEAP_FREE_ZERO : HEAP_FREE_DONE;
}

/* As if the free had not been announced. */
HAK_INLINE void heap_free_withdraw(Heap *heap) { STORE_RELAXED(heap->frees, LOAD_RELAXED(heap->frees) - 1); }

HAK_INLINE void heap_free(Heap *heap, void *block, unsigned class_index) {
    HeapFreeStep step = heap_free_fast(heap, block, class_index);
    if (HAK_UNLIKELY(step == HEAP_FREE_SLOW))
        heap_free_slow(heap, block, class_index);
    else if (HAK_UNLIKELY(step == HEAP_FREE_ZERO))
        heap_zero(heap);
}

#endif
