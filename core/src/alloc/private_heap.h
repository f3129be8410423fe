/*
 * alloc/private_heap.h - a heap that belongs to a host: its slabs serve nobody else, and go with it.
 *
 * Layer: alloc. Thread rule: a private heap is used by one thread at a time.
 */
#ifndef HAK_ALLOC_PRIVATE_HEAP_H
#define HAK_ALLOC_PRIVATE_HEAP_H

#include "heap/heap_all.h"
#include "superslab/registry.h"

/* Returns NULL: no memory. */
Heap *private_heap_new(void);

/* Gives back the OS pages of all blocks, live ones included. Nobody else uses the heap. */
void private_heap_destroy(Heap *heap);

/* Puts a large block into the heap's list, after it was made; takes it out, before it is resized or freed. */
void private_heap_large_add(Heap *heap, void *block);
void private_heap_large_remove(Heap *heap, void *block);

/* True: the block lies in a slab of the heap, or in its list of large blocks. */
bool private_heap_owns(const Heap *heap, const void *block);

/* True: the block lies in a slab of some private heap, or in the list of large blocks of one. Takes the owner's
 * lock. */
bool private_heap_owns_any(const void *block);

/* The heap that owns the slab of a block whose slab class is a size class. NULL or RUN_OWNER: the block had been
 * freed. */
HAK_INLINE const Heap *private_heap_slab_owner(const void *block) {
    const SuperSlab *superslab = ptr_to_superslab(block);
    if (HAK_UNLIKELY(superslab == NULL)) return NULL;
    return LOAD_RELAXED(superslab->slab[((uintptr_t)block >> SLAB_SHIFT) % SLABS_PER_SUPERSLAB].owner);
}

/* The same for a block whose slab class is a size class. Takes no lock where the slab is the calling thread's, or the
 * shared heap's. */
HAK_INLINE bool private_heap_owns_small(const void *block) {
    const Heap *owner = private_heap_slab_owner(block);
    return HAK_UNLIKELY(owner != heap_of_thread && owner != &heap_shared) && private_heap_owns_any(block);
}

#endif
