/*
 * api/host_heap.c - blocks of a host's heap without its account: made, freed, looked up.
 *
 * Layer: api. Counts nothing (account.h). Thread rule: see host_heap.h.
 */
#include "api/host_heap.h"

#include "platform/misuse.h"

/* ---- Malloc and free ---- */

void *host_heap_malloc_slow(hak_heap_t *heap, size_t size_bytes, unsigned class_index) {
    if (heap->private_heap != NULL) return heap_malloc_slow(heap->private_heap, class_index);
    return malloc_slow(size_bytes, heap->alignment);
}

void *host_heap_malloc(hak_heap_t *heap, size_t size_bytes) {
    unsigned class_index = host_heap_class_of(heap, size_bytes);
    void *block;
    if (class_index == 0) {
        block = large_malloc(size_bytes, os_page_bytes);
        if (block != NULL && heap->private_heap != NULL) private_heap_large_add(heap->private_heap, block);
        return block;
    }
    if (heap_malloc(host_heap_source(heap), class_index, &block)) return block;
    return host_heap_malloc_slow(heap, size_bytes, class_index);
}

void host_heap_free(hak_heap_t *heap, void *block) {
    unsigned class_index = registry_slab_class(block);
    if (class_index - 1u < SIZE_CLASS_COUNT) {
        heap_free(host_heap_source(heap), block, class_index);
        return;
    }
    if (heap->private_heap != NULL) private_heap_large_remove(heap->private_heap, block);
    large_free(block);
}

/* ---- Misuse ---- */

static HAK_COLD void report_not_of_heap(const void *block) {
    misuse_report("invalid free of %p: not a block of this heap (size class unknown, thread %u)", block,
                  os_thread_id());
}

size_t host_heap_block_bytes(const hak_heap_t *heap, const void *block) {
    size_t usable_bytes = block_usable_bytes(block);
    if (HAK_UNLIKELY(usable_bytes == 0)) {
        if (registry_slab_class(block) == SLAB_CLASS_FOREIGN)
            report_not_of_heap(block);
        else
            block_report_dead(block);
        return 0;
    }
    if (heap->private_heap != NULL) {
        if (HAK_LIKELY(private_heap_owns(heap->private_heap, block))) return usable_bytes;
        report_not_of_heap(block);
        return 0;
    }
    if (HAK_LIKELY(!private_heap_owns_any(block))) return usable_bytes;
    heap_report_private(block);
    return 0;
}
