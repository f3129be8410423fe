/*
 * alloc/free.c - free of a small block where the magazine is full, closed, or none: how many blocks go back.
 *
 * Layer: alloc. Does not return blocks itself (heap/heap_return.c). Thread rule: slow paths of the owner. No lock is
 * held while blocks go to their slabs.
 */
#include "alloc/free.h"

#include "cache/owner.h"
#include "heap/heap_all.h"
#include "heap/heap_return.h"
#include "heap/owner_lock.h"
#include "lifecycle/thread.h"
#include "platform/message.h"
#include "retention/retention.h"
#include "slab/slab_guard.h"

/* How many blocks a full magazine gives up: the older half, so that a loop that frees and allocates by turns comes
 * here seldom. After HALF_FLUSHES_MAX flushes without a refill much is being freed, and all blocks go: blocks that
 * stayed would pin the OS pages of those that die, and be handed out again before better placed ones. */
static unsigned next_flush_blocks(MagazineState *state, unsigned count) {
    enum { HALF_FLUSHES_MAX = 2 };
    if (state->flushes == HALF_FLUSHES_MAX) return count;
    state->flushes++;
    return count > 1 ? count / 2 : 1;
}

static void return_without_magazine(Heap *heap, void *block, unsigned class_index) {
    /* A block that is free already is reported where blocks are returned. */
    if (HAK_UNLIKELY(slab_is_guarded()) && heap_block_is_used(heap, block)) slab_guard_end(block, class_index);
    heap_return_blocks(heap, &block, 1);
}

/* The thread has no heap yet, or no more. */
static HAK_NOINLINE void free_first(void *block, unsigned class_index) {
    Heap *heap = thread_heap_attach();
    if (heap != NULL) {
        heap_free(heap, block, class_index);
        return;
    }
    atomic_fetch_sub_explicit(&heap_retired_live, 1, memory_order_relaxed);
    return_without_magazine(&heap_shared, block, class_index);
}

/* Reclaim closed the magazines while the owner returned blocks. */
static HAK_NOINLINE void push_into_closed(Heap *heap, void *block, unsigned class_index) {
    lock_acquire(&heap->lock);
    if (heap->cache.is_closed) magazines_open(heap);
    bool is_pushed = magazine_push(heap, class_index, block);
    HAK_ASSERT(is_pushed);
    lock_release(&heap->lock);
}

/* Pushes the block, after a flush where the magazine is full. Returns how many blocks were returned to slabs. */
static unsigned flush_and_push(Heap *heap, void *block, unsigned class_index, unsigned capacity) {
    lock_acquire(&heap->lock);
    if (HAK_UNLIKELY(heap->cache.is_closed)) magazines_open(heap);
    magazines_open_class(heap, class_index);
    unsigned count = magazine_count(heap, class_index), returned = 0;
    if (count == magazine_capacity(heap, class_index) && count < capacity) magazines_grow_class(heap, class_index);
    void **oldest = NULL;
    if (count == magazine_capacity(heap, class_index)) {
        returned = next_flush_blocks(&heap->magazines.state[class_index], count);
        oldest = magazines_detach_oldest(heap, class_index, returned);
    } else {
        (void)magazine_push(heap, class_index, block);
    }
    lock_release(&heap->lock);
    if (returned == 0) return 0;
    heap_return_blocks(heap, oldest, returned);
    if (HAK_UNLIKELY(!magazine_push(heap, class_index, block))) push_into_closed(heap, block, class_index);
    return returned;
}

void heap_free_slow(Heap *heap, void *block, unsigned class_index) {
    unsigned capacity = size_classes[class_index].magazine_blocks;
    uint64_t number = LOAD_RELAXED(heap->requests.frees);
    unsigned returned = 1;
    if (HAK_UNLIKELY(heap->kind == HEAP_NONE)) {
        free_first(block, class_index);
        return;
    }
    if (capacity == 0)
        return_without_magazine(heap, block, class_index);
    else
        returned = flush_and_push(heap, block, class_index, capacity);
    owner_free_done(heap, number);
    if (HAK_UNLIKELY(empty_heap_rebase_is_due(heap))) empty_heap_rebase(heap);
    if (number == LOAD_RELAXED(heap->requests.mallocs)) empty_heap_flush_if_due(heap);
    retention_after_cache_growth(heap);
    retention_after_return(heap, (int64_t)returned * size_classes[class_index].block_bytes);
}
