/*
 * heap/heap_holding.h - blocks back into slabs: the owner's lock is held while they go.
 *
 * Layer: heap. Does not choose an order (heap_return.c). Thread rule: slow paths of any thread, with no lock held but that
 * of HeapHolding.
 */
#ifndef HAK_HEAP_HEAP_HOLDING_H
#define HAK_HEAP_HEAP_HOLDING_H

#include "heap/heap_slabs.h"
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
    Slab *slab = single->slab;
    if (HAK_UNLIKELY(slab == NULL || LOAD_RELAXED(slab->owner) != holding->heap)) return false;
    if (HAK_UNLIKELY(slab->class_index != batch->class_index)) return false;
    if (HAK_UNLIKELY(!slab_single_return(single, batch->size_class))) return false;
    if (HAK_UNLIKELY(heap_slab_is_below_list(slab, batch->size_class))) heap_slab_move(holding->heap, slab);
    return true;
}

/* NULL: its slab is empty or its SuperSlab released, so the block had been freed before. */
Slab *heap_return_slab_of(const void *block);

/* From now on the heap that owns the slab is held, or none when `slab` is NULL or no heap owns it. */
void heap_holding_change(HeapHolding *holding, const Slab *slab);
void heap_holding_end(HeapHolding *holding);

/* Does a live or cached block start there, one that `own` may free, or, where that is NULL, anybody? Takes the lock of
 * the slab's owner. */
bool heap_block_is_used(Heap *own, const void *block);

/* Both are reported; the block is left alone. */
void heap_report_free_in_free_slab(const void *block);
void heap_report_private(const Slab *slab, const void *block);

/* Returns the first of `blocks`, which lies in the slab `slab`, and those right behind it in the same slab; what is not
 * allowed is reported. Afterwards the slab's owner is held, or none. Returns how many were dealt with. */
HAK_INLINE unsigned heap_return_run_inlined(HeapHolding *holding, Slab *slab, void *const *blocks, unsigned count) {
    if (HAK_UNLIKELY(slab == NULL || LOAD_RELAXED(slab->owner) != holding->heap)) heap_holding_change(holding, slab);
    Heap *owner = holding->heap;
    if (HAK_UNLIKELY(owner == NULL)) {
        heap_report_free_in_free_slab(blocks[0]);
        return 1;
    }
    if (HAK_UNLIKELY(heap_holding_is_refused(holding))) {
        heap_report_private(slab, blocks[0]);
        return 1;
    }
    unsigned dealt_with;
    heap_holding_add(holding, slab_return_blocks(slab, blocks, count, &dealt_with), &size_classes[slab->class_index]);
    if (slab->purging_pages != 0) return dealt_with; /* slab_from_purging puts it where it belongs */
    if (slab->used_blocks == 0) {
        heap_slab_became_empty(owner, slab);
    } else {
        heap_slab_queue_update(owner, slab);
        heap_slab_move(owner, slab);
    }
    return dealt_with;
}

/* The same as a call. */
unsigned heap_return_run(HeapHolding *holding, Slab *slab, void *const *blocks, unsigned count);

#endif
