/*
 * heap/heap_take.h - blocks out of slabs: decides which slab a refill takes.
 *
 * Layer: heap. Does not know magazines. Thread rule: the caller holds the heap's lock; the shared heap's is taken
 * inside.
 *
 *   1. the TLS slab of the class, while it has free blocks
 *   2. the fullest partly used slab of the heap, so that sparse ones drain
 *   3. for a thread's heap: the fullest of the shared heap
 *   4. a free slab of the supply (superslab/superslab.c chooses), after the birth of a SuperSlab if there is none
 *
 * A cold class of a thread without 1 and 2 takes its blocks from the shared heap's slabs, which stay there
 * (alloc/malloc.c).
 */
#ifndef HAK_HEAP_HEAP_TAKE_H
#define HAK_HEAP_HEAP_TAKE_H

#include "heap/heap.h"

/* Takes up to `want` blocks and writes them below `end`, as slab_take_blocks does. Returns how many; 0: out of
 * memory. */
unsigned heap_take_blocks(Heap *heap, unsigned class_index, void **end, unsigned want);

/* The same from the shared heap, whose lock it takes. */
unsigned heap_take_shared_blocks(unsigned class_index, void **end, unsigned want);

/* The heap has a slab of its own with a free block of the class: 1 or 2. */
bool heap_has_free_blocks(const Heap *heap, unsigned class_index);

/* Makes the TLS slab of a class one with free blocks. False: out of memory. */
bool superslab_refill(Heap *heap, unsigned class_index);

#endif
