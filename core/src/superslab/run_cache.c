/*
 * superslab/run_cache.c - returned runs that stay as they are, for the next block of as many slabs.
 *
 * Layer: superslab. Thread rule: see run_cache.h.
 */
#include "superslab/run_cache.h"

#include "superslab/registry.h"
#include "superslab/supply.h"

Slab *run_cache_take(unsigned slabs, size_t alignment) {
    for (unsigned index = supply.cached_run_count; index-- > 0;) {
        Slab *first = supply.cached_runs[index].first;
        if (supply.cached_runs[index].slabs != slabs || slab_address(first) % alignment != 0) continue;
        for (supply.cached_run_count--; index < supply.cached_run_count; index++)
            supply.cached_runs[index] = supply.cached_runs[index + 1];
        registry_slab_class_set(slab_address(first), SLAB_CLASS_LARGE);
        atomic_fetch_sub_explicit(&backed_free_bytes, (int64_t)first->run_bytes, memory_order_relaxed);
        return first;
    }
    return NULL;
}

/* Has the SuperSlab no used slabs but those of cached runs and of `run`? */
static bool is_last_of_superslab(Slab *run) {
    const SuperSlab *superslab = superslab_of_slab(run);
    unsigned slabs = run->used_blocks;
    for (unsigned index = 0; index < supply.cached_run_count; index++)
        if (superslab_of_slab(supply.cached_runs[index].first) == superslab) slabs += supply.cached_runs[index].slabs;
    return supply_used_slabs(superslab) == slabs;
}

static void flush_oldest(unsigned count) {
    for (unsigned index = 0; index < count; index++) { /* in the order in which they came */
        CachedRun cached = supply.cached_runs[index];
        SuperSlab *superslab = superslab_of_slab(cached.first);
        uint32_t slabs = slab_set(cached.first->slab_index, cached.slabs), since_ms = cached.first->purge_since_ms;
        superslab->backed_tails &= ~slabs;
        supply_slabs_free(superslab, slabs, since_ms);
        supply_queue_update_since(superslab, since_ms);
        supply.died += supply_used_slabs(superslab) == 0; /* stays spare, until a purge finds it */
        supply_list_insert(superslab);
    }
    supply.cached_run_count -= count;
    for (unsigned index = 0; index < supply.cached_run_count; index++)
        supply.cached_runs[index] = supply.cached_runs[index + count];
}

bool run_cache_put(Slab *first) {
    bool has_spare = supply.spare != supply.spare_refused;
    if (has_spare && is_last_of_superslab(first)) return false;
    if (supply.cached_run_count == CACHED_RUNS_MAX) flush_oldest(CACHED_RUNS_MAX / 2);
    supply.cached_runs[supply.cached_run_count++] = (CachedRun){first, first->used_blocks};
    registry_slab_class_set(slab_address(first), SLAB_CLASS_FREE);
    first->purge_since_ms = (uint32_t)os_now_ms();
    atomic_fetch_add(&backed_free_bytes, (int64_t)first->run_bytes);
    return true;
}

void run_cache_flush(void) { flush_oldest(supply.cached_run_count); }
