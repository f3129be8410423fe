/*
 * heap/heap_take.h - blocks out of slabs: which slab the next ones come from.
 *
 * Layer: heap. Does not know magazines. Thread rule: the caller holds the heap's lock; the shared heap's is taken inside.
 *
 * In this order: the TLS slab; the fullest partly used slab of the heap; the fullest of the shared heap; a slab of the supply.
 * A slab taken from the supply is noted in the heap's events.
 */
#ifndef HAK_HEAP_HEAP_TAKE_H
#define HAK_HEAP_HEAP_TAKE_H

#include "heap/heap.h"

/* Takes up to `want` blocks and writes them below `end`, as slab_take_blocks does. Returns how many; 0: out of memory. */
unsigned heap_take_blocks(Heap *heap, unsigned class_index, void **end, unsigned want);

/* Makes the TLS slab of a class one with free blocks. False: out of memory. */
bool superslab_refill(Heap *heap, unsigned class_index);

bool heap_tls_slab_has_free_blocks(const HeapClass *class, unsigned class_index);

#endif
