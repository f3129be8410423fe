/*
 * heap/heap_flush.c - a full magazine: its older half, or all, goes back to its slabs; and the flush at zero.
 *
 * Layer: heap. Thread rule: slow paths of the owner. No lock is held while blocks go to their slabs (heap_return.c).
 */
#include <string.h>

#include "heap/fast.h"
#include "heap/heap.h"
#include "heap/heap_all.h"
#include "heap/heap_holding.h"
#include "heap/heap_return.h"
#include "heap/purge.h"
#include "slab/slab_guard.h"

/* ---- Magazines to slabs ---- */

static void flush_class(Heap *heap, unsigned class_index) {
    void *blocks[MAGAZINE_BLOCKS_MAX];
    os_lock(&heap->lock);
    unsigned count = magazine_count(&heap->magazine[class_index], heap_slots(heap, class_index));
    if (count > 0) heap_take_oldest(heap, class_index, count, blocks);
    heap_class_start_over(heap, class_index);
    os_unlock(&heap->lock);
    if (count == 0) return;
    heap_return_blocks(heap, blocks, count);
    heap->unshown_bytes += (int64_t)count * size_classes[class_index].block_bytes;
}

void heap_flush_all(Heap *heap) {
    for (unsigned word = 0; word <= SIZE_CLASS_COUNT / 64; word++) {
        os_lock(&heap->lock); /* who reclaims may have come before */
        uint64_t classes = heap->classes_in_use[word];
        os_unlock(&heap->lock);
        for (; classes != 0; classes &= classes - 1) flush_class(heap, word * 64 + lowest_bit_index(classes));
    }
}

/* ---- Zero ---- */

static int64_t own_live_blocks(const Heap *heap) {
    return (int64_t)(LOAD_RELAXED(heap->mallocs) - LOAD_RELAXED(heap->frees)) - LOAD_RELAXED(heap->settled);
}

/* Where blocks are freed by other threads than allocated them, a heap's own counters need not meet when the last live
 * block of the process goes. So it moves its `mallocs` to where they do: exact while the others rest, harmless when they
 * do not. Done anew each time the distance has halved, so it costs nothing. */
static void settle(Heap *heap) {
    uint64_t live = heap_live_blocks();
    int64_t own_live = own_live_blocks(heap);
    if (own_live >= 0 && (uint64_t)own_live < live) live = (uint64_t)own_live; /* the rest is others' */
    uint64_t frees = LOAD_RELAXED(heap->frees);
    int64_t shift = (int64_t)(frees + live - LOAD_RELAXED(heap->mallocs));
    STORE_RELAXED(heap->settled, LOAD_RELAXED(heap->settled) + shift);
    uint64_t mallocs = LOAD_RELAXED(heap->mallocs) + (uint64_t)shift;
    STORE_RELAXED(heap->mallocs, mallocs);
    heap_malloc_done(heap, mallocs);
    heap->settle_at_frees = frees + live / 2 + MAGAZINE_BLOCKS_MAX / 2;
}

/* When others may have freed what this heap allocated, or the other way round; looking at many heaps costs too much. */
static bool heap_is_settling(const Heap *heap) {
    enum { THREADS_LOOKED_AT_MAX = 8 };
    if (heap->kind != HEAP_THREAD) return false; /* nobody else frees a private heap's blocks */
    if (LOAD_RELAXED(heap->frees) < heap->settle_at_frees) return false;
    uint32_t threads = LOAD_RELAXED(heap_thread_count);
    return own_live_blocks(heap) < 0 || LOAD_RELAXED(heap_retired_live) < 0 ||
           (threads > 1 && threads <= THREADS_LOOKED_AT_MAX);
}

/* A loop that allocates little and frees it again reaches zero each time round. After a number of flushes in quick
 * succession it flushes once in so many frees, until it has made so many without reaching zero; what is cached in between
 * is as few, and heap_finish_zero shows nobody the difference. */
enum { QUICK_ZERO_FREES = 256, QUICK_ZERO_FLUSHES_MAX = 16, PUT_OFF_FREES = 4096 };

static bool zero_flush_is_due(Heap *heap) {
    uint64_t frees = LOAD_RELAXED(heap->frees) - heap->frees_at_flush;
    if (heap->quick_zero_flushes < QUICK_ZERO_FLUSHES_MAX) {
        heap->quick_zero_flushes = frees < QUICK_ZERO_FREES ? heap->quick_zero_flushes + 1 : 0;
        return true;
    }
    if (frees < PUT_OFF_FREES) {
        heap->is_zero_put_off = true;
        return false;
    }
    if (!heap->is_zero_put_off) heap->quick_zero_flushes = 0;
    return true;
}

void heap_flush_own(Heap *heap) {
    heap->frees_at_flush = LOAD_RELAXED(heap->frees);
    heap->is_zero_put_off = false;
    heap_enter(heap);
    heap_flush_all(heap);
    heap_leave(heap);
}

void heap_zero(Heap *heap) {
    if (heap->kind == HEAP_NONE) return;
    bool is_due = zero_flush_is_due(heap);
    if (is_due) heap_flush_own(heap);
    bool is_alone = LOAD_RELAXED(heap_thread_count) < 2 && LOAD_RELAXED(heap->settled) == 0;
    if (!is_alone && (is_due || LOAD_RELAXED(heap->settled) != 0)) {
        if (heap_live_blocks() == 0 && is_due) heap_reclaim_others(false);
        if (heap_live_blocks() != 0 && LOAD_RELAXED(heap->settled) != 0) settle(heap);
    }
    if (is_due) purge_after_return(heap, 0); /* a fast path came here */
}

void heap_finish_zero(void) {
    if (heap_live_blocks() != 0) return;
    if (heap_of_thread->kind == HEAP_THREAD) heap_flush_own(heap_of_thread);
    heap_reclaim_others(false);
}

/* ---- The slow path of free ---- */

/* The older half, so that a loop that frees and allocates by turns comes here seldom. But when nothing was refilled for
 * some flushes, much is being freed: then all goes, for what stayed would pin the OS pages of what dies, and be handed
 * out again before better places are. */
static unsigned next_flush_blocks(Magazine *magazine, unsigned count) {
    enum { HALF_FLUSHES_MAX = 2 };
    if (magazine->flushes == HALF_FLUSHES_MAX) return count;
    magazine->flushes++;
    return count > 1 ? count / 2 : 1;
}

static void return_without_magazine(Heap *heap, void *block, unsigned class_index) {
    /* A block that is free already is reported where blocks are returned. */
    if (HAK_UNLIKELY(slab_is_guarded()) && heap_block_is_used(heap, block)) slab_guard_end(block, class_index);
    heap_return_blocks(heap, &block, 1);
}

void heap_free_slow(Heap *heap, void *block, unsigned class_index) {
    unsigned capacity = size_classes[class_index].magazine_blocks;
    uint64_t number = LOAD_RELAXED(heap->frees);
    unsigned returned = 0;
    bool has_more_cache = false;
    if (HAK_UNLIKELY(heap->kind == HEAP_NONE)) {
        Heap *attached = heap_attach();
        if (attached != NULL) {
            heap_free(attached, block, class_index);
            return;
        }
        atomic_fetch_sub_explicit(&heap_retired_live, 1, memory_order_relaxed);
        return_without_magazine(&heap_shared, block, class_index);
        return;
    }
    if (capacity == 0) {
        returned = 1;
        return_without_magazine(heap, block, class_index);
    } else {
        void *oldest[MAGAZINE_BLOCKS_MAX];
        os_lock(&heap->lock);
        if (HAK_UNLIKELY(heap->is_closed)) heap_open(heap);
        heap_class_open(heap, class_index);
        unsigned count = magazine_count(&heap->magazine[class_index], heap_slots(heap, class_index));
        if (count == heap_capacity(heap, class_index) && count < capacity) heap_class_grow(heap, class_index);
        if (count == heap_capacity(heap, class_index)) {
            returned = next_flush_blocks(&heap->magazine[class_index], count);
            heap_take_oldest(heap, class_index, returned, oldest);
        }
        (void)magazine_push(&heap->magazine[class_index], block);
        has_more_cache = heap->has_more_cache;
        heap->has_more_cache = false;
        os_unlock(&heap->lock);
        if (returned > 0) heap_return_blocks(heap, oldest, returned);
    }
    heap_free_done(heap, number);
    if (HAK_UNLIKELY(heap_is_settling(heap))) settle(heap);
    if (number == LOAD_RELAXED(heap->mallocs)) heap_zero(heap);
    if (has_more_cache) purge_if_caches_over_bound();
    purge_after_return(heap, (int64_t)returned * size_classes[class_index].block_bytes);
}
