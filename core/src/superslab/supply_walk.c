/*
 * superslab/supply_walk.c - the supply's counts of one moment, and a walk through its SuperSlabs.
 *
 * Layer: superslab. Changes nothing but that it flushes the cached runs. Thread rule: both take the supply lock.
 */
#include "superslab/run_cache.h"
#include "superslab/superslab.h"
#include "superslab/supply.h"

/* Under the supply lock. */
static SupplyCounts counts_now(void) {
    return (SupplyCounts){.active = supply.born - supply.died,
                          .spare = supply.mapped_count - (supply.born - supply.died),
                          .born = supply.born,
                          .died = supply.died,
                          .mapped_bytes = supply.mapped_count * SUPERSLAB_BYTES + supply.mapping_bytes,
                          .large_bytes = LOAD_RELAXED(supply.large_bytes),
                          .large_blocks = supply.large_count,
                          .mapping_free_bytes = LOAD_RELAXED(supply.mapping_free_bytes),
                          .mapping_unbacked_bytes = supply.mapping_unbacked_bytes,
                          .purged_bytes = LOAD_RELAXED(supply.purged_bytes)};
}

SupplyCounts superslab_counts(void) {
    lock_acquire(&supply_lock);
    run_cache_flush();
    SupplyCounts counts = counts_now();
    lock_release(&supply_lock);
    return counts;
}

SupplyCounts superslab_walk(void (*visit)(SuperSlab *superslab, void *context), void *context) {
    lock_acquire(&supply_lock);
    run_cache_flush();
    for (unsigned list = 0; list <= SLABS_PER_SUPERSLAB; list++) {
        SuperSlab *superslab = list == 0 ? supply.spare : supply.active_by_used[list];
        for (; superslab != NULL; superslab = superslab->next) visit(superslab, context);
    }
    SupplyCounts counts = counts_now();
    lock_release(&supply_lock);
    return counts;
}
