/*
 * heap/heap_return_scattered.c - blocks of one class that come from many slabs in no order go back one by one.
 *
 * Layer: heap. Thread rule: slow paths of any thread, with no lock held. What hundreds of blocks have pushed out of the
 * processor's cache is looked up and fetched for some blocks before the first of them is returned.
 */
#include "heap/heap_return_scattered.h"

/* Holds the heap that owns the slab, or, where `own` may not free that one's blocks or none owns it, `own`. */
static void hold(HeapHolding *holding, const Slab *slab) {
    heap_holding_change(holding, slab);
    if (holding->heap != NULL && heap_holding_is_refused(holding)) heap_holding_end(holding);
    if (holding->heap != NULL) return;
    holding->heap = holding->own;
    lock_acquire(&holding->heap->lock);
}

/* Of another heap than is held, the last one in its OS page, or misuse. */
static HAK_NOINLINE void return_other(HeapHolding *holding, const HeapBatch *batch, const SlabSingle *single,
                                      void *const *block) {
    if (single->slab != NULL && LOAD_RELAXED(single->slab->owner) != holding->heap) {
        hold(holding, single->slab);
        if (heap_return_single(holding, batch, single)) {
            heap_holding_add(holding, 1, batch->size_class);
            return;
        }
    }
    Slab *slab = heap_return_slab_of(*block);
    (void)heap_return_run(holding, slab, block, 1);
    hold(holding, slab);
}

void heap_return_scattered(Heap *own, const HeapBatch *of_blocks, void *const *blocks, unsigned count) {
    enum { AHEAD = 16 };
    SlabSingle singles[AHEAD];
    const HeapBatch batch = *of_blocks; /* so that the compiler knows that nothing else writes to it */
    HeapHolding holding = {own, NULL, 0, 0};
    hold(&holding, heap_return_slab_of(blocks[0]));
    while (count > 0) {
        unsigned part = count < AHEAD ? count : AHEAD, lone = 0;
        for (unsigned index = 0; index < part; index++) singles[index] = heap_batch_find(&batch, blocks[index]);
        for (unsigned index = 0; index < part; index++) {
            if (HAK_LIKELY(heap_return_single(&holding, &batch, &singles[index]))) {
                lone++;
                continue;
            }
            heap_holding_add(&holding, lone, batch.size_class);
            lone = 0;
            return_other(&holding, &batch, &singles[index], &blocks[index]);
        }
        heap_holding_add(&holding, lone, batch.size_class);
        blocks += part;
        count -= part;
    }
    heap_holding_end(&holding);
}
