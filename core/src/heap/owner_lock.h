/*
 * heap/owner_lock.h - blocks go back into slabs under the lock of the heap that owns the slab.
 *
 * Layer: heap. Does not choose the order of blocks (heap_return.c). Thread rule: slow paths of any thread; the
 * OwnerLock's is the only heap's lock that the thread holds.
 */
#ifndef HAK_HEAP_OWNER_LOCK_H
#define HAK_HEAP_OWNER_LOCK_H

#include "heap/heap_slabs.h"
#include "heap/return_batch.h"

/* Held while neighbouring blocks belong to the same owner, and moved when they do not. */
typedef struct OwnerLock {
    Heap *freeing;            /* the heap of the thread that frees */
    Heap *owner;              /* whose lock is held; NULL: none */
    int64_t returned_bytes;   /* to be taken off the owner's used_bytes before its lock is released (I13) */
    uint64_t returned_blocks; /* to be counted then, too */
} OwnerLock;

/* Locks the heap that owns the slab, after releasing another; none where `slab` is NULL or a run's. */
void owner_lock_move(OwnerLock *held, const Slab *slab);

/* Releases the lock. */
void owner_lock_end(OwnerLock *held);

/* The owner is another one's private heap: its blocks are not for this thread to free. */
HAK_INLINE bool owner_lock_forbids_free(const OwnerLock *held) {
    return held->owner != held->freeing && held->owner->kind == HEAP_PRIVATE;
}

/* ---- One block or run of blocks goes back ---- */

HAK_INLINE void owner_lock_count_returned(OwnerLock *held, unsigned blocks, const SizeClass *size_class) {
    held->returned_bytes += (int64_t)blocks * size_class->block_bytes;
    held->returned_blocks += blocks;
}

/* Puts one block back into its slab; the caller counts it. False, and nothing changed: the slab has another owner or
 * class, an OS page or the slab would become free, or the block is free already. */
HAK_INLINE bool owner_lock_return_block(const OwnerLock *held, const ReturnBatch *batch, const SlabSingle *single) {
    Slab *slab = single->slab;
    if (HAK_UNLIKELY(slab == NULL || LOAD_RELAXED(slab->owner) != held->owner)) return false;
    if (HAK_UNLIKELY(slab->class_index != batch->class_index)) return false;
    if (HAK_UNLIKELY(!slab_single_return(single, batch->size_class))) return false;
    if (HAK_UNLIKELY(heap_slab_is_below_list(slab, batch->size_class))) heap_slab_move(held->owner, slab);
    return true;
}

/* Report misuse; the block is left alone. The second one for a small or a large block of a private heap. */
void owner_lock_report_double_free(const void *block);
void heap_report_private(const void *block);

/* Returns the first of `blocks`, which lies in `slab`, and those behind it as long as they lie in `slab`, too;
 * reports what may not be returned. Afterwards the lock of the slab's owner is held, or none. Returns the number of
 * blocks dealt with. */
HAK_INLINE unsigned owner_lock_return_run_inlined(OwnerLock *held, Slab *slab, void *const *blocks, unsigned count) {
    if (HAK_UNLIKELY(slab == NULL || LOAD_RELAXED(slab->owner) != held->owner)) owner_lock_move(held, slab);
    Heap *owner = held->owner;
    if (HAK_UNLIKELY(owner == NULL)) {
        owner_lock_report_double_free(blocks[0]);
        return 1;
    }
    if (HAK_UNLIKELY(owner_lock_forbids_free(held))) {
        heap_report_private(blocks[0]);
        return 1;
    }
    unsigned dealt_with, returned = slab_return_blocks(slab, blocks, count, &dealt_with);
    owner_lock_count_returned(held, returned, &size_classes[slab->class_index]);
    if (slab->purging_pages != 0) return dealt_with; /* heap_slab_from_purging puts it into its list */
    if (slab->used_blocks == 0) {
        heap_slab_became_empty(owner, slab);
    } else {
        heap_slab_queue_update(owner, slab);
        heap_slab_move(owner, slab);
    }
    return dealt_with;
}

/* The same, as a call. */
unsigned owner_lock_return_run(OwnerLock *held, Slab *slab, void *const *blocks, unsigned count);

/* ---- Questions ---- */

/* NULL: the block's slab is free or its SuperSlab released, so the block had been freed before. */
Slab *heap_slab_of_block(const void *block);

/* True if a live or cached block starts there that `freeing` may free; NULL: that anybody may. Takes the owner's
 * lock. */
bool heap_block_is_used(Heap *freeing, const void *block);

#endif
