/*
 * alloc/free.h - free of a small block: what is inlined into every entry point, and its slow path.
 *
 * Layer: alloc. No lock, no atomic read-modify-write, no call unless the magazine is full or closed, or the heap's
 * last live block goes. Announces itself as malloc does (malloc.h). Thread rule: `heap` is the caller's.
 */
#ifndef HAK_ALLOC_FREE_H
#define HAK_ALLOC_FREE_H

#include "alloc/empty_heap.h"
#include "cache/magazine.h"
#include "cache/owner.h"
#include "heap/heap.h"

/* How far a free has come. The rest is one call, which the caller can make its last. */
typedef enum HeapFreeStep {
    HEAP_FREE_DONE,
    HEAP_FREE_LAST, /* go on with empty_heap_flush_if_due */
    HEAP_FREE_SLOW  /* go on with heap_free_slow, or with heap_free_withdraw; it stays announced until then */
} HeapFreeStep;

/* Announces a free; returns its number, for heap_free_done. */
HAK_INLINE uint64_t heap_free_announce(Heap *heap) {
    uint64_t number = LOAD_RELAXED(heap->requests.frees) + 1;
    STORE_RELAXED(heap->requests.frees, number);
    COMPILER_BARRIER();
    return number;
}

/* The free is done: its block was pushed. */
HAK_INLINE HeapFreeStep heap_free_done(Heap *heap, uint64_t number) {
    owner_free_done(heap, number);
    bool is_last = IS_EQUAL_RELAXED(heap->requests.mallocs, number);
    return HAK_UNLIKELY(is_last) ? HEAP_FREE_LAST : HEAP_FREE_DONE;
}

/* Takes any slab class. One that is no size class has a magazine that is always full: HEAP_FREE_SLOW. */
HAK_INLINE HeapFreeStep heap_free_fast(Heap *heap, void *block, size_t slab_class) {
    uint64_t number = heap_free_announce(heap);
    if (HAK_UNLIKELY(!magazine_push(heap, slab_class, block))) return HEAP_FREE_SLOW;
    return heap_free_done(heap, number);
}

/* Takes back the announcement of a free. */
HAK_INLINE void heap_free_withdraw(Heap *heap) {
    STORE_RELAXED(heap->requests.frees, LOAD_RELAXED(heap->requests.frees) - 1);
}

HAK_NOINLINE void heap_free_slow(Heap *heap, void *block, unsigned class_index);

HAK_INLINE void heap_free(Heap *heap, void *block, unsigned class_index) {
    HeapFreeStep step = heap_free_fast(heap, block, class_index);
    if (HAK_UNLIKELY(step == HEAP_FREE_SLOW))
        heap_free_slow(heap, block, class_index);
    else if (HAK_UNLIKELY(step == HEAP_FREE_LAST))
        empty_heap_flush_if_due(heap);
}

#endif
