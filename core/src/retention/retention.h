/*
 * retention/retention.h - how much free memory stays, and who gives it back when: the door for slow paths. Freeze, fork
 * and trim call helper.h and purge.h themselves.
 *
 * Layer: retention. Thread rule: any thread, no lock held by the caller; `heap` is the calling thread's.
 *
 * The slow paths above report what they did (blocks returned, caches grown, a slab taken). A report costs one
 * comparison unless a poll is due (bounds.h).
 */
#ifndef HAK_RETENTION_RETENTION_H
#define HAK_RETENTION_RETENTION_H

#include "heap/heap.h"
#include "platform/os.h"
#include "retention/bounds.h"
#include "retention/burst.h"

/* ---- After blocks were returned, or a large block was freed or shrunk ---- */

/* Compares free bytes with both bounds. Above the idle bound: wakes the helper. Above the burst bound, or where no
 * helper can run: gives back at once. `changed_bytes` is what the caller made free or took
 * into use, about. */
void retention_poll(int64_t changed_bytes);

HAK_INLINE void retention_poll_if_due(int64_t freed_bytes) {
    bool is_due = atomic_load(&backed_free_bytes) > atomic_load(&bounds_poll_at_free_bytes);
    if (HAK_UNLIKELY(is_due || os_process_is_copy())) /* a copy does not know yet that it has no helper */
        retention_poll(freed_bytes);
}

/* Adds `bytes` to the sum of what heaps have returned since the last poll; polls when that is due. */
void retention_report_returned(int64_t bytes);

/* What the heap returned, flushes included, and has not reported; from now on 0. */
HAK_INLINE int64_t retention_take_unreported(Heap *heap) {
    HeapRetention *seen = &heap->retention;
    int64_t bytes = seen->unreported_bytes + (heap->cache.flushed_bytes - seen->seen_flushed_bytes);
    seen->unreported_bytes = 0;
    seen->seen_flushed_bytes = heap->cache.flushed_bytes;
    return bytes;
}

/* Blocks of `returned_bytes` went back to slabs, which lowers the bounds even where no OS page became free. */
HAK_INLINE void retention_after_return(Heap *heap, int64_t returned_bytes) {
    int64_t unreported_bytes = retention_take_unreported(heap) + returned_bytes;
    bool is_reported = unreported_bytes > LOAD_RELAXED(bounds_report_portion_bytes);
    heap->retention.unreported_bytes = is_reported ? 0 : unreported_bytes;
    if (HAK_UNLIKELY(is_reported))
        retention_report_returned(unreported_bytes);
    else
        retention_poll_if_due(returned_bytes);
}

/* ---- After memory was taken into use: caches grew, a refill, a large block ---- */

/* `bytes` were taken into use. Gives back free OS pages, about as much, where they and what was touched first exceed
 * the burst bound together. */
HAK_INLINE void retention_after_use(int64_t bytes) {
    if (burst_is_exceeded_by_use()) retention_poll(bytes);
}

/* Wakes the helper when free bytes and caches together exceed the idle bound: it takes the caches of threads that fall
 * idle. */
void retention_poll_caches(void);

HAK_INLINE void retention_poll_caches_if_due(void) {
    if (HAK_UNLIKELY(bounds_free_and_cached_bytes() > LOAD_RELAXED(bounds_poll_at_cached_bytes)))
        retention_poll_caches();
}

/* Acts on what a refill did, in all of these ways: a SuperSlab was born, the heap's caches grew, it took a slab. */
void retention_after_refill(Heap *heap);
void retention_after_birth(void);
void retention_after_cache_growth(Heap *heap);

/* ---- Others ---- */

/* Polls at once, and has the helper poll: an option that the bounds depend on was set. */
void retention_poll_now(void);

/* The OS refused memory: gives back all that is free, addresses included, after flushing `heap` and the caches of
 * parked threads. True: ask the OS again. `heap` is entered (cache/owner.h), or NULL. */
bool retention_make_room(Heap *heap);

#endif
