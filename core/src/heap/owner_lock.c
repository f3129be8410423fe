/*
 * heap/owner_lock.c - the lock of the heap that owns a slab: taken, moved, released, and what is booked before that.
 *
 * Layer: heap. Thread rule: see owner_lock.h. At most one heap's lock is held at a time.
 */
#include "heap/owner_lock.h"

#include "heap/heap_all.h"
#include "platform/misuse.h"
#include "slab/slab.h"

/* ---- The lock ---- */

static void book_returned(OwnerLock *held) {
    Heap *owner = held->owner;
    if (held->returned_blocks == 0) return;
    STORE_RELAXED(owner->used_bytes, LOAD_RELAXED(owner->used_bytes) - held->returned_bytes);
    heap_count_if_on(held->freeing, owner == held->freeing ? COUNTER_ss_local : COUNTER_ss_remote,
                     held->returned_blocks);
    held->returned_bytes = 0;
    held->returned_blocks = 0;
}

void owner_lock_end(OwnerLock *held) {
    if (held->owner == NULL) return;
    book_returned(held);
    lock_release(&held->owner->lock);
    held->owner = NULL;
}

void owner_lock_move(OwnerLock *held, const Slab *slab) {
    for (;;) {
        Heap *owner = slab != NULL ? LOAD_RELAXED(slab->owner) : NULL;
        if (HAK_LIKELY(owner == held->owner)) return;
        owner_lock_end(held);
        if (owner == NULL || owner == RUN_OWNER) return;
        lock_acquire(&owner->lock);
        held->owner = owner; /* the slab may have changed hands before the lock was ours: compared once more */
    }
}

/* ---- Return ---- */

HAK_COLD void owner_lock_report_double_free(const void *block) {
    misuse_report("double free of %p (its slab is empty, size class unknown, thread %u)", block, os_thread_id());
}

HAK_COLD void heap_report_private(const void *block) {
    unsigned slab_class = registry_slab_class(block);
    if (slab_class - 1u < SIZE_CLASS_COUNT)
        misuse_report("invalid free of %p: a private heap's, for hak_heap_free (size class %u bytes, thread %u)", block,
                      (uint64_t)size_classes[slab_class].block_bytes, os_thread_id());
    else
        misuse_report("invalid free of %p: a private heap's, for hak_heap_free (size class large, thread %u)", block,
                      os_thread_id());
}

unsigned owner_lock_return_run(OwnerLock *held, Slab *slab, void *const *blocks, unsigned count) {
    return owner_lock_return_run_inlined(held, slab, blocks, count);
}

/* ---- Questions ---- */

Slab *heap_slab_of_block(const void *block) {
    if (HAK_UNLIKELY(registry_slab_class(block) - 1u >= SIZE_CLASS_COUNT)) return NULL;
    SuperSlab *superslab = ptr_to_superslab(block);
    if (HAK_UNLIKELY(superslab == NULL)) return NULL;
    return &superslab->slab[((uintptr_t)block >> SLAB_SHIFT) % SLABS_PER_SUPERSLAB];
}

bool heap_block_is_used(Heap *freeing, const void *block) {
    Slab *slab = heap_slab_of_block(block);
    OwnerLock held = {freeing, NULL, 0, 0};
    owner_lock_move(&held, slab);
    if (held.owner == NULL) return false;
    const SizeClass *size_class = &size_classes[slab->class_index];
    size_t offset = size_class_offset(size_class, (uintptr_t)block % SLAB_BYTES);
    unsigned index = size_class_block_index(size_class, offset);
    bool is_forbidden = freeing != NULL && owner_lock_forbids_free(&held);
    bool is_used = !is_forbidden && index < size_class->blocks_per_slab &&
                   index * (size_t)size_class->block_bytes == offset &&
                   (slab_free_bits(slab)[index / 64] >> (index % 64) & 1) == 0;
    owner_lock_end(&held);
    return is_used;
}
