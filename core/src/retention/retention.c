/*
 * retention/retention.c - decides when OS pages go back: on a report of a slow path it polls the bounds, wakes the
 * helper, or purges.
 *
 * Layer: retention. Thread rule: see retention.h.
 */
#include "retention/retention.h"

#include "cache/flush.h"
#include "cache/reclaim.h"
#include "heap/heap_all.h"
#include "platform/option.h"
#include "retention/burst.h"
#include "retention/helper.h"
#include "retention/idle_slabs.h"
#include "retention/inherited.h"
#include "retention/purge.h"
#include "superslab/huge_pages.h"
#include "superslab/mapping.h"

static _Atomic int64_t reported_bytes; /* what heaps returned since the last poll */

/* ---- After blocks were returned ---- */

/* What is not worth a helper: OS pages that are old enough go, as the helper would have it. */
static void poll_without_helper(Bound idle, Bound helper) {
    bounds_set_next_poll(helper);
    (void)purge_run((uint32_t)option_value(OPTION_PURGE_DELAY_MS), idle.bytes, SIZE_MAX);
}

/* With a helper, a thread gives back about max(changed_bytes, PURGE_STEP_BYTES), the oldest first: more
 * would be a pause for what other threads left, and later polls and the helper go on. Without a helper it gives back
 * all that exceeds the bound. */
void retention_poll(int64_t changed_bytes) {
    inherited_put_right();
    STORE_RELAXED(reported_bytes, 0);
    int64_t used_bytes = heap_used_bytes_all();
    burst_see(used_bytes);
    Bound bound = bounds_idle(used_bytes), helper = bounds_helper(used_bytes);
    int64_t free_bytes = LOAD_RELAXED(backed_free_bytes);
    if (free_bytes <= helper.bytes && helper.bytes > bound.bytes) {
        poll_without_helper(bound, helper);
        return;
    }
    bool is_delayed = free_bytes > bound.bytes && option_value(OPTION_PURGE_DELAY_MS) != 0;
    Bound burst = is_delayed ? burst_bound(used_bytes) : bound;
    /* Before the wake-up: a helper that finishes after it calls bounds_poll_next_time, which must not be undone. */
    bounds_set_next_poll(burst);
    bool is_left_to_helper = is_delayed && helper_wake();
    if (is_left_to_helper)
        bound = burst;
    else if (is_delayed)
        bounds_set_next_poll(bound);
    /* Another thread may have polled for fewer used bytes meanwhile: its next poll is the right one. */
    if (heap_used_bytes_all() < used_bytes - PURGE_STEP_BYTES) bounds_poll_next_time();
    if (free_bytes <= bound.bytes) return;
    int64_t slack_bytes = bound.bytes / 8 < PURGE_STEP_BYTES ? bound.bytes / 8 : PURGE_STEP_BYTES;
    size_t own_bytes = (size_t)(changed_bytes > PURGE_STEP_BYTES ? changed_bytes : PURGE_STEP_BYTES);
    size_t bytes = purge_run(0, bound.bytes - slack_bytes, is_left_to_helper ? own_bytes : SIZE_MAX);
    if (is_left_to_helper) burst_note_purged(bytes); /* without a helper there is no burst bound */
}

void retention_poll_now(void) {
    bounds_poll_next_time();
    retention_poll_if_due(INT64_MAX);
    retention_poll_caches_if_due();
    helper_poll_now();
}

void retention_report_returned(int64_t bytes) {
    int64_t sum_bytes = bytes + atomic_fetch_add_explicit(&reported_bytes, bytes, memory_order_relaxed);
    if (sum_bytes > LOAD_RELAXED(bounds_poll_at_reported_bytes))
        retention_poll(bytes);
    else
        retention_poll_if_due(bytes);
}

/* ---- After caches grew ---- */

void retention_poll_caches(void) {
    int64_t helper_bound_bytes = bounds_helper_bytes();
    if (bounds_free_and_cached_bytes() <= helper_bound_bytes) {
        STORE_RELAXED(bounds_poll_at_cached_bytes, helper_bound_bytes);
        return;
    }
    /* Before the wake-up: a helper that finishes after it calls bounds_poll_next_time, which must not be undone. */
    STORE_RELAXED(bounds_poll_at_cached_bytes, INT64_MAX);
    if (option_value(OPTION_PURGE_DELAY_MS) != 0 && helper_wake()) return;
    reclaim_others(true);
    STORE_RELAXED(bounds_poll_at_cached_bytes, bounds_free_and_cached_bytes() + bounds_idle_bytes());
}

void retention_after_cache_growth(Heap *heap) {
    if (heap->retention.seen_cache_growth_count == heap->cache.growth_count) return;
    heap->retention.seen_cache_growth_count = heap->cache.growth_count;
    retention_poll_caches_if_due();
}

/* ---- After a refill ---- */

/* The next SuperSlab gets a huge page if used bytes >= USED_BYTES_MIN and free bytes + 2 MiB <= the idle bound: a heap
 * that large is taken to be dense, and 2 MiB more may stay resident. */
void retention_after_birth(void) {
    enum { USED_BYTES_MIN = 8 * SUPERSLAB_BYTES };
    static _Atomic uint32_t seen_born_count; /* two threads may see the same birth */
    uint32_t born_count = LOAD_RELAXED(heap_superslabs_born_count);
    if (born_count == LOAD_RELAXED(seen_born_count)) return;
    STORE_RELAXED(seen_born_count, born_count);
    int64_t free_bytes = LOAD_RELAXED(backed_free_bytes) + (int64_t)SUPERSLAB_BYTES;
    huge_pages_expect_dense(heap_used_bytes_all() >= USED_BYTES_MIN && free_bytes <= bounds_idle_bytes());
}

void retention_after_refill(Heap *heap) {
    retention_after_birth();
    retention_after_cache_growth(heap);
    if (HAK_UNLIKELY(os_process_is_copy())) retention_poll(0);
    bool has_taken_slab = heap->retention.seen_slabs_taken_count != heap->slabs.taken_count;
    heap->retention.seen_slabs_taken_count = heap->slabs.taken_count;
    if (has_taken_slab) retention_after_use(SLAB_BYTES);
    if (has_taken_slab && heap->kind == HEAP_THREAD) idle_slabs_share(heap);
}

/* ---- Out of memory ---- */

bool retention_make_room(Heap *heap) {
    enum { WAIT_MS = 1 };
    int64_t used_bytes = heap_used_bytes_all();
    uint64_t mapped_bytes = superslab_counts().mapped_bytes;
    if (heap != NULL) flush_all(heap);
    reclaim_others(false);
    bool has_purged = purge_run(0, 0, SIZE_MAX) > 0;
    mapping_cut_all();
    if (has_purged || heap_used_bytes_all() < used_bytes || superslab_counts().mapped_bytes < mapped_bytes) return true;
    if (LOAD_RELAXED(detached_count) == 0) return false;
    os_sleep_ms(WAIT_MS); /* another thread has in its hands what may serve */
    return true;
}
