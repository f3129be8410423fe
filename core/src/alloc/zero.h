/*
 * alloc/zero.h - the heap's last live block was freed: the magazines are flushed, so that its SuperSlabs die.
 *
 * Layer: alloc. Thread rule: for the heap's owner, outside the allocator; heap_finish_zero for any thread.
 */
#ifndef HAK_ALLOC_ZERO_H
#define HAK_ALLOC_ZERO_H

#include "heap/heap.h"

/* Where mallocs equal frees. */
HAK_NOINLINE void heap_zero(Heap *heap);

/* When no heap has a live block: flushes what zero has left in magazines. Before figures are shown. */
void heap_finish_zero(void);

/* Flushes all magazines, and puts off no flush that is due. */
void zero_flush(Heap *heap);

/* Where blocks are freed by other threads than allocated them: moves `mallocs`, so that the counters meet when the last block
 * of the process goes. */
bool zero_is_due_to_settle(const Heap *heap);
void zero_settle(Heap *heap);

#endif
