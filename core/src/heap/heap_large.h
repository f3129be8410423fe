/*
 * heap/heap_large.h - the list of a private heap's large blocks, through the metadata of their first slabs (I15).
 *
 * Layer: heap. Does not make or free large blocks. Thread rule: takes the heap's lock, but where it is said.
 */
#ifndef HAK_HEAP_HEAP_LARGE_H
#define HAK_HEAP_HEAP_LARGE_H

#include "heap/heap.h"

void heap_large_insert(Heap *heap, Slab *first);
void heap_large_remove(Heap *heap, Slab *first);

/* Empties the list; its elements stay chained by `large_next`. Under the heap lock. */
Slab *heap_large_take_all(Heap *heap);

#endif
