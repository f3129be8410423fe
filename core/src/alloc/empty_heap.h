/*
 * alloc/empty_heap.h - a heap whose last live block was freed flushes its magazines, so that its SuperSlabs die.
 *
 * Layer: alloc. Thread rule: for the heap's owner, outside the allocator; empty_heap_flush_deferred for any thread.
 */
#ifndef HAK_ALLOC_EMPTY_HEAP_H
#define HAK_ALLOC_EMPTY_HEAP_H

#include "heap/heap.h"

/* The heap's frees have met its mallocs: flushes, unless a loop makes that happen all the time (back-off). */
HAK_NOINLINE void empty_heap_flush_if_due(Heap *heap);

/* Flushes all magazines, whatever lives. */
void empty_heap_flush(Heap *heap);

/* If no heap has a live block: flushes what the back-off has left in magazines. Called before figures are shown. */
void empty_heap_flush_deferred(void);

/* Moves the heap's mallocs so that they meet its frees at the process's last free (empty_heap.c). */
bool empty_heap_rebase_is_due(const Heap *heap);
void empty_heap_rebase(Heap *heap);

#endif
