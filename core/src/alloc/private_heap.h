/*
 * alloc/private_heap.h - a heap that belongs to a host: its slabs serve nobody else, and go with it.
 *
 * Layer: alloc. Thread rule: a private heap is used by one thread at a time.
 */
#ifndef HAK_ALLOC_PRIVATE_HEAP_H
#define HAK_ALLOC_PRIVATE_HEAP_H

#include "heap/heap.h"

/* NULL: no memory. */
Heap *private_heap_new(void);

/* All its blocks, live ones too, are gone, and their OS pages given back. The caller is the only one who uses it. */
void private_heap_destroy(Heap *heap);

/* A large block of the heap was made, or is about to be resized or freed. */
void private_heap_large_add(Heap *heap, void *block);
void private_heap_large_remove(Heap *heap, void *block);

/* Does `block` lie in a slab of this heap, or is it a large block of it? */
bool private_heap_owns(const Heap *heap, const void *block);

#endif
