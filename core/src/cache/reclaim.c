/*
 * cache/reclaim.c - takes the cached blocks of other threads and private heaps whose owner is outside the allocator.
 *
 * Layer: cache. Their slabs are for retention/idle_slabs.c. Thread rule: any thread. Costs the fast paths one store, to
 * mallocs_done or frees_done (alloc/malloc.h).
 *
 *   1. Close the magazines, under the heap lock: an owner that enters from now on takes the slow path, and waits for
 *      the lock.
 *   2. Issue a barrier in all threads: an owner that entered before is announced by a counter ahead of its twin.
 *   3. Under the heap lock again, if the magazines are still closed and the owner is outside: take the blocks.
 *
 * An owner that is inside is left alone; its magazines stay closed until its next slow path opens them, and the next
 * reclaim tries again. Where the kernel has no such barrier nothing is reclaimed.
 */
#include "cache/reclaim.h"

#include <string.h>

#include "cache/magazine.h"
#include "cache/owner.h"
#include "heap/heap_all.h"
#include "heap/heap_return.h"

static void magazines_close(Heap *heap) {
    heap->cache.is_closed = true;
    for (unsigned index = 1; index <= SIZE_CLASS_COUNT; index++) magazine_close(heap, index);
}

static bool has_class_in_use(const Heap *heap) {
    uint64_t classes = 0;
    for (unsigned word = 0; word <= SIZE_CLASS_COUNT / 64; word++) classes |= heap->cache.classes_in_use[word];
    return classes != 0;
}

/* A closed heap is a candidate, too: its owner may have been inside the last time. */
static bool is_candidate(Heap *heap, bool idle_only) {
    if ((heap->kind != HEAP_THREAD && heap->kind != HEAP_PRIVATE) || heap == heap_of_thread) return false;
    uint64_t requests = LOAD_RELAXED(heap->requests.mallocs) + LOAD_RELAXED(heap->requests.frees);
    bool is_idle = heap->cache.seen_requests == requests;
    heap->cache.seen_requests = requests;
    return (is_idle || !idle_only) && has_class_in_use(heap);
}

/* One class at a time: its blocks go back to slabs of any heap, and no two heaps are locked at once. False: the owner
 * is inside, or has opened its magazines. */
static bool reclaim_class(Heap *heap, unsigned class_index) {
    /* Under heap_list_lock. A copy, since the owner may go on and use its slots. */
    static void *blocks[MAGAZINE_BLOCKS_MAX];
    unsigned count = 0;
    lock_acquire(&heap->lock);
    bool is_reclaimable = heap->cache.is_closed && owner_is_outside(heap);
    if (is_reclaimable) {
        count = magazine_count(heap, class_index);
        memcpy(blocks, magazines_detach_oldest(heap, class_index, count), count * sizeof *blocks);
        magazines_reset_class(heap, class_index);
    }
    lock_release(&heap->lock);
    if (count > 0) heap_return_blocks(heap, blocks, count);
    return is_reclaimable;
}

static void reclaim(Heap *heap) {
    for (unsigned word = 0; word <= SIZE_CLASS_COUNT / 64; word++) {
        lock_acquire(&heap->lock);
        uint64_t classes = heap->cache.is_closed ? heap->cache.classes_in_use[word] : 0;
        lock_release(&heap->lock);
        for (; classes != 0; classes &= classes - 1)
            if (!reclaim_class(heap, word * 64 + lowest_bit_index(classes))) return;
    }
}

void reclaim_others(bool idle_only) {
    bool is_any_closed = false;
    lock_acquire(&heap_list_lock);
    for (Heap *heap = LOAD_RELAXED(heap_list); heap != NULL; heap = heap->next) {
        lock_acquire(&heap->lock);
        if (is_candidate(heap, idle_only)) {
            magazines_close(heap);
            is_any_closed = true;
        }
        lock_release(&heap->lock);
    }
    if (is_any_closed && os_barrier_in_all_threads())
        for (Heap *heap = LOAD_RELAXED(heap_list); heap != NULL; heap = heap->next) reclaim(heap);
    lock_release(&heap_list_lock);
}
