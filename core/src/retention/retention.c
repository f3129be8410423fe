/*
 * retention/retention.c - the one door of this layer: acts on what the heaps above report.
 *
 * Layer: retention. Thread rule: see retention.h.
 */
#include "retention/retention.h"

#include "cache/flush.h"
#include "cache/reclaim.h"
#include "heap/heap_all.h"
#include "platform/option.h"
#include "retention/helper.h"
#include "retention/idle_slabs.h"
#include "retention/purge.h"
#include "superslab/huge_pages.h"

static _Atomic int64_t shown_bytes; /* what heaps returned since the last look */

/* ---- After blocks went back ---- */

/* What became free all at once in other threads, which ended or were idle, is not for one call to pay: where the helper runs
 * it gives back as much as it made free, or AIR_BYTES_MAX. The next looks go on, and if none comes, the helper. */
void purge_if_over_bound_slow(int64_t freed_bytes) {
    STORE_RELAXED(shown_bytes, 0); /* what is shown from here on is for the next look */
    int64_t used_bytes = heap_used_bytes_all();
    Bound bound = bounds_old(used_bytes), young = bounds_young(used_bytes);
    int64_t free_bytes = LOAD_RELAXED(backed_free_bytes);
    bool is_delayed = free_bytes > bound.bytes && option_value(OPTION_PURGE_DELAY_MS) != 0;
    /* Before the wake-up: a helper that finishes after it calls purge_look_again. */
    bounds_set_next_look(is_delayed ? young : bound);
    bool is_left_to_helper = is_delayed && helper_wake();
    if (is_left_to_helper)
        bound = young;
    else if (is_delayed)
        bounds_set_next_look(bound);
    /* Others may have freed, and looked, since used_bytes was read: then they knew better when the next look is due. */
    if (heap_used_bytes_all() < used_bytes - AIR_BYTES_MAX) purge_look_again();
    if (free_bytes <= bound.bytes) return;
    int64_t air_bytes = bound.bytes / 8 < AIR_BYTES_MAX ? bound.bytes / 8 : AIR_BYTES_MAX;
    size_t own_bytes = (size_t)(freed_bytes > AIR_BYTES_MAX ? freed_bytes : AIR_BYTES_MAX);
    (void)purge_run(0, bound.bytes - air_bytes, is_left_to_helper ? own_bytes : SIZE_MAX);
}

void purge_look_now(void) {
    purge_look_again();
    purge_if_over_bound(INT64_MAX);
    purge_if_caches_over_bound();
    helper_look_now();
}

void purge_show_returned(int64_t bytes) {
    int64_t all_bytes = bytes + atomic_fetch_add_explicit(&shown_bytes, bytes, memory_order_relaxed);
    if (all_bytes > LOAD_RELAXED(bounds_shown_bytes_max))
        purge_if_over_bound_slow(bytes);
    else
        purge_if_over_bound(bytes);
}

/* ---- After caches grew ---- */

void purge_if_caches_over_bound_slow(void) {
    int64_t old_bound_bytes = purge_old_bound_bytes();
    if (purge_free_and_cached_bytes() <= old_bound_bytes) {
        STORE_RELAXED(purge_cache_check_bytes, old_bound_bytes);
        return;
    }
    /* Before the wake-up: a helper that finishes after it sets this back to 0. */
    STORE_RELAXED(purge_cache_check_bytes, INT64_MAX);
    if (option_value(OPTION_PURGE_DELAY_MS) != 0 && helper_wake()) return;
    /* Again when they have grown by a bound's worth: each look visits all heaps. */
    heap_reclaim_others(true);
    STORE_RELAXED(purge_cache_check_bytes, purge_free_and_cached_bytes() + old_bound_bytes);
}

void retention_after_cache_growth(Heap *heap) {
    if (heap->retention.seen_cache_growth_count == heap->cache.growth_count) return;
    heap->retention.seen_cache_growth_count = heap->cache.growth_count;
    purge_if_caches_over_bound();
}

/* ---- After a refill ---- */

/* A SuperSlab was born. The next ones get huge pages when these cannot weigh: much is live, and with one more that is
 * resident and free, no bound is exceeded. */
static void superslab_was_born(void) {
    enum { LIVE_BYTES_MIN = 8 * SUPERSLAB_BYTES };
    int64_t free_bytes = LOAD_RELAXED(backed_free_bytes) + (int64_t)SUPERSLAB_BYTES;
    huge_pages_expect_dense(heap_used_bytes_all() >= LIVE_BYTES_MIN && free_bytes <= purge_old_bound_bytes());
}

void retention_after_birth(void) {
    static _Atomic uint32_t seen_born_count; /* a race over it looks twice */
    uint32_t born_count = LOAD_RELAXED(heap_superslabs_born_count);
    if (born_count == LOAD_RELAXED(seen_born_count)) return;
    STORE_RELAXED(seen_born_count, born_count);
    superslab_was_born();
}

void retention_after_refill(Heap *heap) {
    retention_after_birth();
    retention_after_cache_growth(heap);
    bool has_taken_slab = heap->retention.seen_slabs_taken_count != heap->slabs.taken_count;
    heap->retention.seen_slabs_taken_count = heap->slabs.taken_count;
    if (has_taken_slab && heap->kind == HEAP_THREAD) heap_share_idle(heap);
}

/* ---- Out of memory ---- */

bool purge_make_room(Heap *heap) {
    enum { WAIT_MS = 1 };
    int64_t used_bytes = heap_used_bytes_all();
    uint64_t mapped_bytes = superslab_counts().mapped_bytes;
    if (heap != NULL) heap_flush_all(heap);
    heap_reclaim_others(false);
    if (purge_run(0, 0, SIZE_MAX) > 0 || heap_used_bytes_all() < used_bytes || superslab_counts().mapped_bytes < mapped_bytes)
        return true;
    uint32_t in_flight = LOAD_RELAXED(purges_in_flight); /* another thread has what may serve in its hands */
    if (in_flight != 0) os_wait_ms(&purges_in_flight, in_flight, WAIT_MS);
    return in_flight != 0;
}
