/*
 * heap/heap_return.h - what the ways of returning a batch of blocks share.
 *
 * Layer: heap. For heap_return.c and heap_return_scattered.c alone. Thread rule: slow paths of any thread, with no lock
 * held but that of HeapHolding.
 */
#ifndef HAK_HEAP_HEAP_RETURN_H
#define HAK_HEAP_HEAP_RETURN_H

#include "heap/heap.h"
#include "slab/slab_single.h"
#include "superslab/registry.h"

/* What is the same for all blocks of a batch, which come from one magazine. */
typedef struct HeapBatch {
    unsigned class_index; /* or SLAB_CLASS_COUNT, which nothing is of: its first block had been freed before */
    const SizeClass *size_class;
    SlabRows rows;
    uintptr_t window_base;
} HeapBatch;

/* The number of a block's slab in the registry's window, beyond whose slabs it is for one that lies far from the others. */
HAK_INLINE uintptr_t heap_batch_slab_number(const HeapBatch *batch, const void *block) {
    return ((uintptr_t)block - batch->window_base) >> SLAB_SHIFT;
}

/* Of the slab with this number. NULL: beyond the window, or not of the batch's class; heap_return_slab_of knows more. */
HAK_INLINE SuperSlab *heap_batch_superslab(const HeapBatch *batch, uintptr_t slab_number) {
    if (HAK_UNLIKELY(slab_number >= REGISTRY_WINDOW_SLABS)) return NULL;
    if (HAK_UNLIKELY(LOAD_RELAXED(registry_slab_classes[slab_number]) != batch->class_index)) return NULL;
    return registry_superslab_of_slab(slab_number);
}

HAK_INLINE SlabSingle heap_batch_find(const HeapBatch *batch, const void *block) {
    uintptr_t slab_number = heap_batch_slab_number(batch, block);
    SuperSlab *superslab = heap_batch_superslab(batch, slab_number);
    if (HAK_UNLIKELY(superslab == NULL)) return (SlabSingle){NULL, NULL, 0, 0, 0};
    return slab_single_find(superslab, slab_number % SLABS_PER_SUPERSLAB, batch->rows, batch->size_class, block);
}

/* The heap whose lock is held while blocks go back to its slabs. */
typedef struct HeapHolding {
    Heap *own;  /* which frees */
    Heap *heap; /* NULL: none */
    int64_t returned_bytes;   /* not yet taken off its used_bytes: that is done before the lock is given up (I13) */
    uint64_t returned_blocks; /* not yet counted */
} HeapHolding;

HAK_INLINE void heap_holding_add(HeapHolding *holding, unsigned blocks, const SizeClass *size_class) {
    holding->returned_bytes += (int64_t)blocks * size_class->block_bytes;
    holding->returned_blocks += blocks;
}

/* It is the private one of somebody else. */
HAK_INLINE bool heap_holding_is_refused(const HeapHolding *holding) {
    return holding->heap != holding->own && holding->heap->kind == HEAP_PRIVATE;
}

/* False: nothing was done, since its slab belongs to another heap than is held, or more changes than its bit. */
HAK_INLINE bool heap_return_single(const HeapHolding *holding, const HeapBatch *batch, const SlabSingle *single) {
    TinySlabMeta *meta = single->meta;
    if (HAK_UNLIKELY(meta == NULL || LOAD_RELAXED(meta->owner) != holding->heap)) return false;
    if (HAK_UNLIKELY(meta->class_index != batch->class_index)) return false;
    if (HAK_UNLIKELY(!slab_single_return(single, batch->size_class))) return false;
    if (HAK_UNLIKELY(heap_slab_is_below_list(meta, batch->size_class))) heap_slab_move(holding->heap, meta);
    return true;
}

/* NULL: its slab is empty or its SuperSlab released, so the block had been freed before. */
TinySlabMeta *heap_return_slab_of(const void *block);

/* From now on the heap that owns the slab is held, or none when `meta` is NULL or no heap owns it. */
void heap_holding_change(HeapHolding *holding, const TinySlabMeta *meta);
void heap_holding_end(HeapHolding *holding);

/* Returns the first of `blocks`, which lies in the slab `meta`, and those right behind it in the same slab; what is not
 * allowed is reported. Afterwards the slab's owner is held, or none. Returns how many were dealt with. */
unsigned heap_return_run(HeapHolding *holding, TinySlabMeta *meta, void *const *blocks, unsigned count);

/* ---- heap_return_scattered.c ---- */

/* Returns blocks that come from many slabs in no order: each for itself. */
void heap_return_scattered(Heap *own, const HeapBatch *of_blocks, void *const *blocks, unsigned count);

#endif
