/*
 * heap/heap_return.h - blocks of one class go back to their slabs, whoever owns these.
 *
 * Layer: heap. Thread rule: slow paths of any thread, with no lock held.
 */
#ifndef HAK_HEAP_HEAP_RETURN_H
#define HAK_HEAP_HEAP_RETURN_H

#include "heap/heap.h"

/* Returns 1 to MAGAZINE_BLOCKS_MAX blocks of one class to their slabs. `freeing` is the heap that frees them. Misuse is
 * reported. */
void heap_return_blocks(Heap *freeing, void *const *blocks, unsigned count);

#endif
