/*
 * api/api_stats.c - stats: sums over heaps and SuperSlabs.
 *
 * Layer: api. Does not format. Thread rule: any thread. Sums are exact while the other threads make no request. The
 * heap list lock excludes reclaim, whose blocks on the way from a magazine to a slab would count as live.
 */
#include <errno.h>
#include <hakmem.h>
#include <string.h>

#include "alloc/empty_heap.h"
#include "cache/magazine.h"
#include "heap/heap.h"
#include "heap/heap_all.h"
#include "heap/heap_slabs.h"
#include "lifecycle/start.h"
#include "platform/option.h"
#include "retention/burst.h"
#include "superslab/metadata.h"
#include "superslab/superslab.h"

static _Atomic uint64_t passed_requests, passed_bytes, served_bytes;

void hak_stats_passed(size_t size_bytes) {
    atomic_fetch_add_explicit(&passed_requests, 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&passed_bytes, size_bytes, memory_order_relaxed);
}

void hak_stats_served(size_t size_bytes) { atomic_fetch_add_explicit(&served_bytes, size_bytes, memory_order_relaxed); }

/* ---- Rows by class ---- */

typedef struct Sums {
    uint64_t used[SIZE_CLASS_COUNT + 1], slabs[SIZE_CLASS_COUNT + 1];
    uint64_t used_bytes, run_bytes, free_page_bytes, unbacked_bytes;
} Sums;

static void add_superslab(SuperSlab *superslab, void *context) {
    Sums *sums = context;
    for (unsigned index = 0; index < SLABS_PER_SUPERSLAB; index++) {
        const Slab *slab = &superslab->slab[index];
        sums->unbacked_bytes += (uint64_t)os_page_set_bytes(slab->unbacked_pages);
        sums->free_page_bytes += (uint64_t)os_page_set_bytes(slab->free_pages);
        const Heap *owner = LOAD_RELAXED(slab->owner);
        if (owner == NULL) continue;
        if (owner == RUN_OWNER) {
            if (slab->used_blocks != 0) sums->run_bytes += slab->run_bytes; /* the first slab of a run */
            continue;
        }
        sums->used[slab->class_index] += slab->used_blocks;
        sums->used_bytes += (uint64_t)slab->used_blocks * size_classes[slab->class_index].block_bytes;
        sums->slabs[slab->class_index]++;
    }
}

/* Sums over all slabs, and the supply's counts, under one hold of the supply lock. */
static SupplyCounts sum_all(Sums *sums) {
    memset(sums, 0, sizeof *sums);
    return superslab_walk(add_superslab, sums);
}

static uint64_t cached_blocks(unsigned class_index) {
    uint64_t blocks = 0;
    Heap *heap = atomic_load_explicit(&heap_list, memory_order_acquire);
    for (; heap != NULL; heap = heap->next)
        if (heap->kind == HEAP_THREAD || heap->kind == HEAP_PRIVATE) blocks += magazine_count(heap, class_index);
    return blocks;
}

static uint64_t at_most(uint64_t value, uint64_t limit) { return value < limit ? value : limit; }

size_t hak_stats_classes(hak_class_stats_t *rows, size_t capacity) {
    Sums sums;
    core_start();
    heap_lock_all();
    (void)sum_all(&sums);
    for (unsigned index = 1; index <= SIZE_CLASS_COUNT && index <= capacity; index++) {
        uint64_t cached = at_most(cached_blocks(index), sums.used[index]);
        rows[index - 1] = (hak_class_stats_t){
            .block_bytes = size_classes[index].block_bytes,
            .live = sums.used[index] - cached,
            .cached = cached,
            .free = sums.slabs[index] * size_classes[index].blocks_per_slab - sums.used[index],
            .slabs = sums.slabs[index],
        };
    }
    heap_unlock_all();
    return SIZE_CLASS_COUNT;
}

/* ---- Sums ---- */

static uint64_t served_requests(void) {
    uint64_t requests = LOAD_RELAXED(heap_retired_mallocs) + LOAD_RELAXED(heap_large_mallocs);
    for (Heap *heap = atomic_load_explicit(&heap_list, memory_order_acquire); heap != NULL; heap = heap->next)
        requests += LOAD_RELAXED(heap->requests.mallocs) - (uint64_t)LOAD_RELAXED(heap->alloc.rebased);
    return requests;
}

int hak_stats_get(hak_stats_t *stats) {
    if (stats == NULL || stats->struct_bytes < 2 * sizeof(uint32_t)) return EINVAL;
    core_start();
    uint32_t struct_bytes = stats->struct_bytes < sizeof *stats ? stats->struct_bytes : (uint32_t)sizeof *stats;
    empty_heap_flush_deferred();
    hak_stats_t full = {.struct_bytes = struct_bytes, .version = HAK_STATS_VERSION};
    Sums sums;
    heap_lock_all();
    SupplyCounts counts = sum_all(&sums);
    for (unsigned index = 1; index <= SIZE_CLASS_COUNT; index++) {
        uint64_t cached = at_most(cached_blocks(index), sums.used[index]);
        full.cached_bytes += cached * size_classes[index].block_bytes;
        full.live_blocks += sums.used[index] - cached;
    }
    heap_unlock_all();
    full.large_bytes = counts.large_bytes;
    full.live_blocks += counts.large_blocks;
    full.live_bytes = sums.used_bytes - full.cached_bytes + counts.large_bytes;
    full.mapped_bytes = counts.mapped_bytes;
    full.unbacked_bytes = sums.unbacked_bytes + counts.mapping_unbacked_bytes;
    full.free_resident_bytes = sums.free_page_bytes - sums.unbacked_bytes + counts.mapping_free_bytes;
    full.pinned_bytes =
        full.mapped_bytes - full.live_bytes - full.cached_bytes - full.free_resident_bytes - full.unbacked_bytes;
    full.metadata_bytes = metadata_bytes();
    full.superslabs_active = counts.active;
    full.superslabs_spare = counts.spare;
    full.superslabs_born = counts.born;
    full.superslabs_died = counts.died;
    full.purged_bytes_total = counts.purged_bytes + heap_slabs_purged_bytes();
    full.served_requests = served_requests();
    full.served_bytes = LOAD_RELAXED(served_bytes);
    full.passed_requests = LOAD_RELAXED(passed_requests);
    full.passed_bytes = LOAD_RELAXED(passed_bytes);
    BurstFigures burst = burst_figures();
    full.burst_bound_bytes = burst.bound_bytes;
    full.regret_bytes_total = burst.regret_bytes;
    full.learn_tried = burst.tried;
    full.learn_kept = burst.kept;
    full.learn_taken_back = burst.taken_back;
    memcpy(stats, &full, struct_bytes);
    return 0;
}

/* ---- Debug counters ---- */

static const char *const counter_names[HEAP_COUNTER_COUNT] = {
#define COUNTER(name) #name,
    HEAP_COUNTERS(COUNTER)
#undef COUNTER
};

static uint64_t counter_sum(HeapCounter counter) {
    uint64_t sum = LOAD_RELAXED(heap_none.counter[counter]);
    for (Heap *heap = atomic_load_explicit(&heap_list, memory_order_acquire); heap != NULL; heap = heap->next)
        sum += LOAD_RELAXED(heap->counter[counter]);
    return sum;
}

/* Number of frees of blocks that heaps count: all but large ones. */
static uint64_t frees_all(void) { return served_requests() - LOAD_RELAXED(heap_large_mallocs) - heap_live_blocks(); }

const char *hak_stats_counter(size_t index, uint64_t *value) {
    if (index >= HEAP_COUNTER_COUNT) return NULL;
    if (value == NULL) return counter_names[index];
    *value = 0;
    core_start();
    if (option_value(OPTION_COUNTERS) == 0) return counter_names[index];
    if (index == COUNTER_refill_magazine) {
        uint64_t refills = 0;
        for (HeapCounter stage = COUNTER_refill_tls_slab; stage <= COUNTER_refill_new_superslab; stage++)
            refills += counter_sum(stage);
        uint64_t heap_requests = served_requests() - LOAD_RELAXED(heap_large_mallocs);
        *value = heap_requests - at_most(refills, heap_requests);
    } else if (index == COUNTER_tls_sll) {
        uint64_t returned = counter_sum(COUNTER_ss_local) + counter_sum(COUNTER_ss_remote);
        *value = frees_all() - at_most(returned, frees_all());
    } else {
        *value = counter_sum((HeapCounter)index);
    }
    return counter_names[index];
}
