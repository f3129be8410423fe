/*
 * heap/heap_return.h - blocks of one class go back to their slabs, whoever owns these.
 *
 * Layer: heap. Thread rule: slow paths of any thread, with no lock held.
 */
#ifndef HAK_HEAP_HEAP_RETURN_H
#define HAK_HEAP_HEAP_RETURN_H

#include "heap/heap.h"

/* Returns blocks of one class, at most MAGAZINE_BLOCKS_MAX, to their slabs, whoever owns these. No lock is held. */
void heap_return_blocks(Heap *own, void *const *blocks, unsigned count);

#endif
