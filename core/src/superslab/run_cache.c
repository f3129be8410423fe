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

void run_cache_put(Slab *first) {
    if (supply.cached_run_count == CACHED_RUNS_MAX) run_cache_flush();
    supply.cached_runs[supply.cached_run_count++] = (CachedRun){first, first->used_blocks};
    registry_slab_class_set(slab_address(first), SLAB_CLASS_FREE);
    supply_slabs_are_young(superslab_of_slab(first), slab_set(first->slab_index, 1));
    atomic_fetch_add(&backed_free_bytes, (int64_t)first->run_bytes);
}

void run_cache_flush(void) {
    unsigned count = supply.cached_run_count;
    supply.cached_run_count = 0;
    for (unsigned index = 0; index < count; index++) { /* oldest first, as they would have come back */
        CachedRun cached = supply.cached_runs[index];
        SuperSlab *superslab = superslab_of_slab(cached.first);
        uint32_t slabs = slab_set(cached.first->slab_index, cached.slabs);
        superslab->backed_tails &= ~slabs;
        supply_slabs_free(superslab, slabs, cached.first->purge_since_ms);
        supply_queue_renew(superslab);                    /* it may be queued as of later */
        supply.died += supply_used_slabs(superslab) == 0; /* stays spare, until a purge finds it */
        supply_list_insert(superslab);
    }
}
