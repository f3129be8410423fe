/*
 * alloc/private_heap.h - a heap that belongs to a host: its slabs serve nobody else, and go with it.
 *
 * Layer: alloc. Thread rule: a private heap is used by one thread at a time.
 */
#ifndef HAK_ALLOC_PRIVATE_HEAP_H
#define HAK_ALLOC_PRIVATE_HEAP_H

#include "heap/heap.h"

/* Returns NULL: no memory. */
Heap *private_heap_new(void);

/* Gives back the OS pages of all blocks, live ones included. Nobody else uses the heap. */
void private_heap_destroy(Heap *heap);

/* Puts a large block into the heap's list, after it was made; takes it out, before it is resized or freed. */
void private_heap_large_add(Heap *heap, void *block);
void private_heap_large_remove(Heap *heap, void *block);

/* True: the block lies in a slab of the heap, or in its list of large blocks. */
bool private_heap_owns(const Heap *heap, const void *block);

#endif
