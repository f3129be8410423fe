/*
 * heap/heap_return_scattered.c - blocks of one class that come from many slabs in no order go back one by one.
 *
 * Layer: heap. Thread rule: slow paths of any thread, with no lock held.
 *
 * The metadata of such blocks has left the processor's cache. So it is found, and fetched, for LOOKAHEAD_BLOCKS
 * blocks before the first of them is returned.
 */
#include "heap/heap_return_scattered.h"

#include "heap/owner_lock.h"

/* Locks the owner of the slab. Where no heap owns it, or `freeing` may not free the owner's blocks: locks `freeing`. */
static void move_to_owner_or_freeing(OwnerLock *held, const Slab *slab) {
    owner_lock_move(held, slab);
    if (held->owner != NULL && owner_lock_forbids_free(held)) owner_lock_end(held);
    if (held->owner != NULL) return;
    held->owner = held->freeing;
    lock_acquire(&held->owner->lock);
}

/* The block that owner_lock_return_block refused: of another owner, the last one in its OS page, or misuse. */
static HAK_NOINLINE void return_refused(OwnerLock *held, const ReturnBatch *batch, const SlabSingle *single,
                                        void *const *block) {
    if (single->slab != NULL && LOAD_RELAXED(single->slab->owner) != held->owner) {
        move_to_owner_or_freeing(held, single->slab);
        if (owner_lock_return_block(held, batch, single)) {
            owner_lock_count_returned(held, 1, batch->size_class);
            return;
        }
    }
    Slab *slab = heap_slab_of_block(*block);
    (void)owner_lock_return_run(held, slab, block, 1);
    move_to_owner_or_freeing(held, slab);
}

HAK_NOINLINE void heap_return_scattered(Heap *freeing, const ReturnBatch *of_blocks, void *const *blocks,
                                        unsigned count) {
    enum { LOOKAHEAD_BLOCKS = 16 };
    SlabSingle singles[LOOKAHEAD_BLOCKS];
    const ReturnBatch batch = *of_blocks; /* a copy: the compiler knows that no store below changes it */
    OwnerLock held = {freeing, NULL, 0, 0};
    move_to_owner_or_freeing(&held, heap_slab_of_block(blocks[0]));
    while (count > 0) {
        unsigned part = count < LOOKAHEAD_BLOCKS ? count : LOOKAHEAD_BLOCKS, uncounted = 0;
        for (unsigned index = 0; index < part; index++) singles[index] = return_batch_find(&batch, blocks[index]);
        for (unsigned index = 0; index < part; index++) {
            if (HAK_LIKELY(owner_lock_return_block(&held, &batch, &singles[index]))) {
                uncounted++;
                continue;
            }
            owner_lock_count_returned(&held, uncounted, batch.size_class); /* before the owner changes */
            uncounted = 0;
            return_refused(&held, &batch, &singles[index], &blocks[index]);
        }
        owner_lock_count_returned(&held, uncounted, batch.size_class);
        blocks += part;
        count -= part;
    }
    owner_lock_end(&held);
}
