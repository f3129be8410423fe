/*
 * heap/purge.c - free OS pages of slabs in use go back to the OS.
 *
 * Layer: heap. Thread rule: any thread. No lock is held while the kernel works: a slab leaves its lists first, so that
 * nobody is handed a block of it, and comes back afterwards.
 */
#include "heap/purge.h"

#include "heap/heap_all.h"
#include "heap/heap_slabs.h"
#include "platform/option.h"
#include "slab/slab.h"
#include "superslab/huge_pages.h"
#include "superslab/mapping.h"

_Atomic int64_t purge_check_bytes, purge_cache_check_bytes;
_Atomic int64_t purge_show_bytes;
static _Atomic int64_t shown_bytes, shown_bytes_max; /* what heaps returned since the last look; with more one is due */
static _Atomic uint64_t purged_bytes_total;

uint64_t purge_bytes_total(void) { return LOAD_RELAXED(purged_bytes_total); }

/* A retain bound, and how many percent of the used bytes are in it. */
typedef struct Bound {
    int64_t bytes, percent;
} Bound;

static Bound bound_of(int64_t fixed_bytes, int64_t percent, int64_t used_bytes) {
    int64_t share_bytes = used_bytes / 100 * percent;
    return (Bound){fixed_bytes > INT64_MAX - share_bytes ? INT64_MAX : fixed_bytes + share_bytes, percent};
}

static Bound old_bound(int64_t used_bytes) {
    return bound_of(option_value(OPTION_RETAIN_BYTES), option_value(OPTION_RETAIN_PERCENT), used_bytes);
}

/* Never below the old one. */
static Bound young_bound(int64_t used_bytes) {
    Bound fixed = bound_of(option_value(OPTION_RETAIN_YOUNG_BYTES), 0, used_bytes);
    Bound share = bound_of(0, option_value(OPTION_RETAIN_YOUNG_PERCENT), used_bytes);
    Bound young = share.bytes > fixed.bytes ? share : fixed, old = old_bound(used_bytes);
    return young.bytes > old.bytes ? young : old;
}

int64_t purge_old_bound_bytes(void) { return old_bound(heap_used_bytes_all()).bytes; }

/* What one purge of a thread that frees gives back, about: so that calls are batched, and not more, for it is a pause. */
enum { AIR_BYTES_MAX = SUPERSLAB_BYTES };

/* While blocks go back, free bytes grow and the used ones, with the bound, become less: the next look is due when these two
 * can meet at the earliest. The bound of now is too high for then, so much would have to go at once; within AIR_BYTES_MAX
 * of it that does not matter. A look visits all heaps: the more there are, the fewer looks. */
static void next_look_set(Bound bound) {
    enum { BYTES_PER_HEAP = 16 << 10, SHOW_BYTES_MAX = 256 << 10 };
    int64_t heaps = LOAD_RELAXED(heap_count) + 1;
    int64_t least_bytes = AIR_BYTES_MAX + heaps * BYTES_PER_HEAP, show_bytes = BYTES_PER_HEAP + AIR_BYTES_MAX / heaps;
    int64_t free_bytes = LOAD_RELAXED(backed_free_bytes), left_bytes = bound.bytes - free_bytes;
    int64_t meeting_bytes = left_bytes / (100 + bound.percent) * 100;
    bool is_near = left_bytes <= AIR_BYTES_MAX;
    STORE_RELAXED(purge_check_bytes, is_near ? bound.bytes : free_bytes + meeting_bytes);
    STORE_RELAXED(shown_bytes_max, meeting_bytes > least_bytes ? meeting_bytes : least_bytes);
    STORE_RELAXED(purge_show_bytes, show_bytes < SHOW_BYTES_MAX ? show_bytes : SHOW_BYTES_MAX);
}

/* ---- The slabs of a heap ---- */

/* Out of the lists. Under the owner's lock. */
static void slab_to_purging(Heap *heap, TinySlabMeta *meta) {
    meta->purging_pages = slab_backed_free_pages(meta);
    heap->purging_slabs++;
    heap_slab_remove(heap, meta);
    heap_slab_queue_update(heap, meta);
}

/* Back into the lists, or to the supply. Under the owner's lock. */
static size_t slab_from_purging(Heap *heap, TinySlabMeta *meta, OsPageSet refused) {
    OsPageSet purged = (OsPageSet)(meta->purging_pages & ~refused);
    meta->unbacked_pages |= purged;
    meta->purging_pages = 0;
    heap->purging_slabs--;
    atomic_fetch_sub_explicit(&backed_free_bytes, os_page_set_bytes(purged), memory_order_relaxed);
    if (meta->used_blocks == 0) {
        heap_slab_became_empty(heap, meta);
    } else if (heap->kind == HEAP_POOLED) { /* its thread ended meanwhile */
        os_lock(&heap_shared.lock);
        heap_slab_change_owner(&heap_shared, heap, meta);
        heap_slab_insert(&heap_shared, meta);
        os_unlock(&heap_shared.lock);
    } else {
        heap_slab_insert(heap, meta);
        heap_slab_queue_update(heap, meta);
    }
    return (size_t)os_page_set_bytes(purged);
}

/* Slabs whose free OS pages are given back together. */
enum { BATCH_SLABS = OS_RANGES_MAX / 2, RUNS_PER_SLAB_MAX = OS_PAGES_PER_SLAB_MAX / 2 };

typedef struct Batch {
    TinySlabMeta *slab[BATCH_SLABS];
    OsPageSet refused[BATCH_SLABS];
    unsigned slab_count;
    OsRange range[OS_RANGES_MAX]; /* neighbouring OS pages in one */
    uint8_t slab_of_range[OS_RANGES_MAX];
    unsigned range_count;
} Batch;

static bool batch_has_room(const Batch *batch) {
    return batch->slab_count < BATCH_SLABS && batch->range_count + RUNS_PER_SLAB_MAX <= OS_RANGES_MAX;
}

static void batch_add(Batch *batch, TinySlabMeta *meta) {
    for (unsigned rest = meta->purging_pages; rest != 0;) {
        unsigned first = lowest_bit_index(rest);
        unsigned count = (unsigned)__builtin_ctz(~(rest >> first));
        batch->range[batch->range_count] = (OsRange){(void *)(slab_address(meta) + ((size_t)first << os_page_shift)),
                                                     (size_t)count << os_page_shift, false};
        batch->slab_of_range[batch->range_count++] = (uint8_t)batch->slab_count;
        rest &= ~(((1u << count) - 1) << first);
    }
    batch->refused[batch->slab_count] = 0;
    batch->slab[batch->slab_count++] = meta;
}

/* The oldest slabs of a heap, as far as they are old enough and needed to reach the target. */
static void batch_take(Batch *batch, Heap *heap, uint32_t now_ms, uint32_t age_ms, int64_t target_bytes) {
    batch->slab_count = batch->range_count = 0;
    int64_t left_bytes = LOAD_RELAXED(backed_free_bytes);
    os_lock(&heap->lock);
    while (left_bytes > target_bytes && batch_has_room(batch)) {
        TinySlabMeta *meta = heap->purge_oldest;
        if (meta == NULL || !os_has_aged(now_ms, meta->purge_since_ms, age_ms)) break;
        slab_to_purging(heap, meta);
        left_bytes -= os_page_set_bytes(meta->purging_pages);
        batch_add(batch, meta);
    }
    if (batch->slab_count > 0) atomic_fetch_add_explicit(&purges_in_flight, 1, memory_order_relaxed);
    os_unlock(&heap->lock);
}

static void batch_purge(Batch *batch) {
    for (unsigned number = 0; number < batch->slab_count; number++)
        huge_pages_split(superslab_of_slab(batch->slab[number]));
    os_purge_ranges(batch->range, batch->range_count);
    for (unsigned number = 0; number < batch->range_count; number++) {
        const OsRange *range = &batch->range[number];
        if (!range->is_refused) continue;
        unsigned first = (unsigned)(((uintptr_t)range->address % SLAB_BYTES) >> os_page_shift);
        unsigned pages = (1u << (range->bytes >> os_page_shift)) - 1u;
        batch->refused[batch->slab_of_range[number]] |= (OsPageSet)(pages << first);
    }
}

/* In no list the slabs stay with their owner, whose thread may end meanwhile; the heap itself is never unmapped. False: the
 * kernel refused something. */
static bool batch_return(const Batch *batch, Heap *heap, size_t *given_back_bytes) {
    bool is_refused = false;
    os_lock(&heap->lock);
    for (unsigned number = 0; number < batch->slab_count; number++) {
        *given_back_bytes += slab_from_purging(heap, batch->slab[number], batch->refused[number]);
        is_refused |= batch->refused[number] != 0;
    }
    atomic_fetch_sub_explicit(&purges_in_flight, 1, memory_order_relaxed);
    os_unlock(&heap->lock);
    return !is_refused;
}

/* False: nothing to do here (any more). */
static bool purge_oldest_slabs(Heap *heap, uint32_t now_ms, uint32_t age_ms, int64_t target_bytes,
                               size_t *given_back_bytes) {
    Batch batch;
    batch_take(&batch, heap, now_ms, age_ms, target_bytes);
    if (batch.slab_count == 0) return false;
    batch_purge(&batch);
    return batch_return(&batch, heap, given_back_bytes);
}

/* ---- All ---- */

size_t purge_run(uint32_t age_ms, int64_t target_bytes, size_t bytes_max) {
    size_t of_supply_bytes = mapping_purge(age_ms, target_bytes, bytes_max), of_heaps_bytes = 0;
    if (of_supply_bytes < bytes_max) of_supply_bytes += superslab_purge(age_ms, target_bytes, bytes_max - of_supply_bytes);
    uint32_t now_ms = (uint32_t)os_now_ms();
    for (Heap *heap = atomic_load_explicit(&heap_list, memory_order_acquire); heap != NULL; heap = heap->next)
        while (LOAD_RELAXED(backed_free_bytes) > target_bytes && of_supply_bytes + of_heaps_bytes < bytes_max &&
               purge_oldest_slabs(heap, now_ms, age_ms, target_bytes, &of_heaps_bytes)) {}
    atomic_fetch_add_explicit(&purged_bytes_total, of_heaps_bytes, memory_order_relaxed);
    return of_supply_bytes + of_heaps_bytes;
}

static void chain_purging(SuperSlab *superslab, void *chain) {
    TinySlabMeta **first = chain;
    for (unsigned index = 0; index < SLABS_PER_SUPERSLAB; index++) {
        TinySlabMeta *meta = &superslab->slab[index];
        if (meta->purging_pages == 0) continue;
        meta->next = *first; /* it is in no list */
        *first = meta;
    }
}

void purge_abandon_all(void) {
    superslab_purge_abandon();
    TinySlabMeta *purging = NULL;
    (void)superslab_walk(chain_purging, &purging);
    while (purging != NULL) {
        TinySlabMeta *meta = purging;
        purging = meta->next;
        Heap *owner = LOAD_RELAXED(meta->owner);
        os_lock(&owner->lock);
        (void)slab_from_purging(owner, meta, meta->purging_pages);
        os_unlock(&owner->lock);
    }
}

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

void purge_to_old_bound(void) {
    if (purge_free_and_cached_bytes() <= purge_old_bound_bytes()) return;
    heap_reclaim_others(false);
    int64_t more_bytes = purge_old_bound_bytes() - LOAD_RELAXED(heap_cache_bytes); /* some stay, the own at least */
    (void)purge_run(0, more_bytes > 0 ? more_bytes : 0, SIZE_MAX);
}

size_t purge_to_young_bound(void) { return purge_run(0, young_bound(heap_used_bytes_all()).bytes, SIZE_MAX); }

/* What became free all at once in other threads, which ended or were idle, is not for one call to pay: where the helper runs
 * it gives back as much as it made free, or AIR_BYTES_MAX. The next looks go on, and if none comes, the helper. */
void purge_if_over_bound_slow(int64_t freed_bytes) {
    STORE_RELAXED(shown_bytes, 0); /* what is shown from here on is for the next look */
    int64_t used_bytes = heap_used_bytes_all();
    Bound bound = old_bound(used_bytes), young = young_bound(used_bytes);
    int64_t free_bytes = LOAD_RELAXED(backed_free_bytes);
    bool is_delayed = free_bytes > bound.bytes && option_value(OPTION_PURGE_DELAY_MS) != 0;
    /* Before the wake-up: a helper that finishes after it calls purge_look_again. */
    next_look_set(is_delayed ? young : bound);
    bool is_left_to_helper = is_delayed && helper_wake();
    if (is_left_to_helper)
        bound = young;
    else if (is_delayed)
        next_look_set(bound);
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
    if (all_bytes > LOAD_RELAXED(shown_bytes_max))
        purge_if_over_bound_slow(bytes);
    else
        purge_if_over_bound(bytes);
}

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
