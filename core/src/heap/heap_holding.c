/*
 * heap/heap_holding.c - blocks back into slabs: takes and changes the owner's lock, and does what a lock is held for.
 *
 * Layer: heap. Thread rule: see heap_holding.h. At most one heap's lock is held at a time.
 */
#include "heap/heap_holding.h"

#include "heap/heap_all.h"
#include "platform/message.h"
#include "platform/option.h"
#include "slab/slab.h"

Slab *heap_return_slab_of(const void *block) {
    if (HAK_UNLIKELY(registry_slab_class(block) - 1u >= SIZE_CLASS_COUNT)) return NULL;
    SuperSlab *superslab = ptr_to_superslab(block);
    if (HAK_UNLIKELY(superslab == NULL)) return NULL;
    return &superslab->slab[((uintptr_t)block >> SLAB_SHIFT) % SLABS_PER_SUPERSLAB];
}

HAK_COLD void heap_report_free_in_free_slab(const void *block) {
    message_misuse(option_value(OPTION_ON_ERROR) == OPTION_ON_ERROR_REPORT,
                   "double free of %p (its slab is empty, size class unknown, thread %u)", block, os_thread_id());
}

HAK_COLD void heap_report_private(const Slab *slab, const void *block) {
    message_misuse(option_value(OPTION_ON_ERROR) == OPTION_ON_ERROR_REPORT,
                   "invalid free of %p: a private heap's, for hak_heap_free (size class %u bytes, thread %u)", block,
                   (uint64_t)size_classes[slab->class_index].block_bytes, os_thread_id());
}

static void settle(HeapHolding *holding) {
    Heap *heap = holding->heap;
    if (holding->returned_blocks == 0) return;
    STORE_RELAXED(heap->used_bytes, LOAD_RELAXED(heap->used_bytes) - holding->returned_bytes);
    heap_count_if_on(holding->own, heap == holding->own ? COUNTER_ss_local : COUNTER_ss_remote, holding->returned_blocks);
    holding->returned_bytes = 0;
    holding->returned_blocks = 0;
}

void heap_holding_end(HeapHolding *holding) {
    if (holding->heap == NULL) return;
    settle(holding);
    lock_release(&holding->heap->lock);
    holding->heap = NULL;
}

void heap_holding_change(HeapHolding *holding, const Slab *slab) {
    for (;;) {
        Heap *owner = slab != NULL ? LOAD_RELAXED(slab->owner) : NULL;
        if (HAK_LIKELY(owner == holding->heap)) return;
        heap_holding_end(holding);
        if (owner == NULL || owner == RUN_OWNER) return;
        lock_acquire(&owner->lock);
        holding->heap = owner; /* unless it changed hands in between */
    }
}

bool heap_block_is_used(Heap *own, const void *block) {
    Slab *slab = heap_return_slab_of(block);
    HeapHolding holding = {own, NULL, 0, 0};
    heap_holding_change(&holding, slab);
    if (holding.heap == NULL) return false;
    const SizeClass *size_class = &size_classes[slab->class_index];
    size_t offset = (uintptr_t)block % SLAB_BYTES;
    unsigned index = size_class_block_index(size_class, offset);
    bool is_refused = own != NULL && heap_holding_is_refused(&holding);
    bool is_used = !is_refused && index < size_class->blocks_per_slab &&
                   index * (size_t)size_class->block_bytes == offset &&
                   (slab_free_bits(slab)[index / 64] >> (index % 64) & 1) == 0;
    heap_holding_end(&holding);
    return is_used;
}

unsigned heap_return_run(HeapHolding *holding, Slab *slab, void *const *blocks, unsigned count) {
    return heap_return_run_inlined(holding, slab, blocks, count);
}
