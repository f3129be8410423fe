/*
 * cache/flush.c - all blocks of a heap's magazines go back to their slabs.
 *
 * Layer: cache. Thread rule: see flush.h.
 */
#include "cache/flush.h"

#include <string.h>

#include "cache/magazine.h"
#include "cache/owner.h"
#include "heap/heap_return.h"

/* The owner is inside, so nobody touches the slots while their blocks go back. */
static void flush_class(Heap *heap, unsigned class_index) {
    lock_acquire(&heap->lock);
    unsigned count = magazine_count(heap, class_index);
    void **blocks = magazines_detach_oldest(heap, class_index, count);
    magazines_reset_class(heap, class_index);
    lock_release(&heap->lock);
    if (count == 0) return;
    heap_return_blocks(heap, blocks, count);
    heap->cache.flushed_bytes += (int64_t)count * size_classes[class_index].block_bytes;
}

void flush_all(Heap *heap) {
    for (unsigned word = 0; word <= SIZE_CLASS_COUNT / 64; word++) {
        lock_acquire(&heap->lock); /* who reclaims may have come before */
        uint64_t classes = heap->cache.classes_in_use[word];
        lock_release(&heap->lock);
        for (; classes != 0; classes &= classes - 1) flush_class(heap, word * 64 + lowest_bit_index(classes));
    }
}

void flush_own(Heap *heap) {
    owner_enter(heap);
    flush_all(heap);
    owner_leave(heap);
}
