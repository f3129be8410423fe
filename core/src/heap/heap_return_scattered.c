/*
 * heap/heap_return_scattered.c - blocks of one class that come from many slabs in no order go back one by one.
 *
 * Layer: heap. Thread rule: slow paths of any thread, with no lock held. What hundreds of blocks have pushed out of the
 * processor's cache is looked up and fetched for some blocks before the first of them is returned.
 */
#include "heap/heap_return.h"
#include "slab/slab_single.h"

HAK_INLINE SlabSingle find(const HeapBatch *batch, const void *block) {
    uintptr_t slab_number = heap_batch_slab_number(batch, block);
    SuperSlab *superslab = heap_batch_superslab(batch, slab_number);
    if (HAK_UNLIKELY(superslab == NULL)) return (SlabSingle){NULL, NULL, 0, 0, 0};
    return slab_single_find(superslab, slab_number % SLABS_PER_SUPERSLAB, batch->rows, batch->size_class, block);
}

/* A heap is held, and it is one whose blocks `own` may free. */
static void hold_some(HeapHolding *holding) {
    if (holding->heap != NULL && holding->heap != holding->own && holding->heap->kind == HEAP_PRIVATE)
        heap_holding_end(holding);
    if (holding->heap != NULL) return;
    holding->heap = holding->own;
    os_lock(&holding->heap->lock);
}

/* Of another heap, the last one in its OS page, or misuse. */
static HAK_NOINLINE void return_other(HeapHolding *holding, void *const *block) {
    (void)heap_return_run(holding, heap_return_slab_of(*block), block, 1);
    hold_some(holding);
}

void heap_return_scattered(Heap *own, const HeapBatch *of_blocks, void *const *blocks, unsigned count) {
    enum { AHEAD = 16 };
    SlabSingle singles[AHEAD];
    const HeapBatch batch = *of_blocks;
    const SizeClass *size_class = batch.size_class;
    HeapHolding holding = {own, NULL, 0, 0};
    heap_holding_change(&holding, heap_return_slab_of(blocks[0]));
    hold_some(&holding);
    while (count > 0) {
        unsigned part = count < AHEAD ? count : AHEAD, lone = 0;
        for (unsigned index = 0; index < part; index++) singles[index] = find(&batch, blocks[index]);
        for (unsigned index = 0; index < part; index++) {
            TinySlabMeta *meta = singles[index].meta;
            if (HAK_LIKELY(meta != NULL && LOAD_RELAXED(meta->owner) == holding.heap &&
                           meta->class_index == batch.class_index && slab_single_return(&singles[index], size_class))) {
                lone++;
                if (HAK_UNLIKELY(heap_slab_is_below_list(meta, size_class))) heap_slab_move(holding.heap, meta);
                continue;
            }
            heap_holding_add(&holding, lone, size_class);
            lone = 0;
            return_other(&holding, &blocks[index]);
        }
        heap_holding_add(&holding, lone, size_class);
        blocks += part;
        count -= part;
    }
    heap_holding_end(&holding);
}
