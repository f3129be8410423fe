/*
 * heap/return_batch.h - what all blocks of one batch have in common, and how the slab of each is found.
 *
 * Layer: heap. Changes nothing. Thread rule: any thread, no lock needed.
 */
#ifndef HAK_HEAP_RETURN_BATCH_H
#define HAK_HEAP_RETURN_BATCH_H

#include "slab/slab_single.h"
#include "superslab/registry.h"

/* The blocks come from one magazine, so they are of one class. */
typedef struct ReturnBatch {
    unsigned class_index; /* SLAB_CLASS_COUNT, the class of no slab, if the first block had been freed before */
    const SizeClass *size_class;
    SlabRows rows;         /* of the class */
    uintptr_t window_base; /* of the registry, loaded once */
} ReturnBatch;

/* Index of the block's slab in the registry's window; REGISTRY_WINDOW_SLABS or more for an address outside it. */
HAK_INLINE uintptr_t return_batch_slab_index(const ReturnBatch *batch, const void *block) {
    return ((uintptr_t)block - batch->window_base) >> SLAB_SHIFT;
}

/* The SuperSlab of that slab. NULL: outside the window, or the slab is not of the batch's class; heap_slab_of_block
 * is exact. */
HAK_INLINE SuperSlab *return_batch_superslab(const ReturnBatch *batch, uintptr_t slab_index) {
    if (HAK_UNLIKELY(slab_index >= REGISTRY_WINDOW_SLABS)) return NULL;
    if (HAK_UNLIKELY(LOAD_RELAXED(registry_slab_classes[slab_index]) != batch->class_index)) return NULL;
    return registry_superslab_of_slab(slab_index);
}

/* Where the block is noted in its slab's metadata; `slab` is NULL where return_batch_superslab gives NULL. */
HAK_INLINE SlabSingle return_batch_find(const ReturnBatch *batch, const void *block) {
    uintptr_t slab_index = return_batch_slab_index(batch, block);
    SuperSlab *superslab = return_batch_superslab(batch, slab_index);
    if (HAK_UNLIKELY(superslab == NULL)) return (SlabSingle){NULL, NULL, 0, 0, 0};
    return slab_single_find(superslab, slab_index % SLABS_PER_SUPERSLAB, batch->rows, batch->size_class, block);
}

#endif
