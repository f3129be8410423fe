/*
 * superslab/superslab_purge.c - gives free slabs, tails of runs and spare SuperSlabs back to the OS, oldest first.
 *
 * Layer: superslab. Does not decide how much (retention/purge.c). Thread rule: any thread; static functions run
 * under the supply lock unless their comment says otherwise. While the kernel takes slabs back, without
 * the lock, they are in purging_slabs, where nobody takes them; tails are purged under the lock.
 */
#include "platform/os.h"
#include "superslab/huge_pages.h"
#include "superslab/run_cache.h"
#include "superslab/superslab.h"
#include "superslab/supply.h"

/* Purges `slabs`, without the lock; neighbours are one range. Returns the slabs that the kernel refused. */
static uint32_t purge_slabs(SuperSlab *superslab, uint32_t slabs) {
    OsRange ranges[SLABS_PER_SUPERSLAB / 2];
    uint32_t runs[SLABS_PER_SUPERSLAB / 2];
    unsigned range_count = 0;
    while (slabs != 0) {
        unsigned first = lowest_bit_index(slabs);
        unsigned count = (unsigned)__builtin_ctzll(~((uint64_t)slabs >> first));
        runs[range_count] = slab_set(first, count);
        ranges[range_count] = (OsRange){(void *)(superslab->base + first * SLAB_BYTES), count * SLAB_BYTES};
        slabs &= ~runs[range_count++];
    }
    uint64_t refused_ranges = os_purge_ranges(ranges, range_count);
    uint32_t refused = 0;
    for (; refused_ranges != 0; refused_ranges &= refused_ranges - 1) refused |= runs[lowest_bit_index(refused_ranges)];
    return refused;
}

/* Purges backed tails of runs. Keeps the lock, because a block may grow into its tail at any time; each system call is
 * for less than a slab. Returns the bytes. */
static size_t purge_tails(SuperSlab *superslab, uint32_t tails) {
    int64_t purged_bytes = 0;
    for (uint32_t rest = tails; rest != 0; rest &= rest - 1) {
        Slab *last = &superslab->slab[lowest_bit_index(rest)];
        size_t used_bytes = (size_t)lowest_bit_index(last->free_pages) << os_page_shift;
        if (!os_purge((void *)(slab_address(last) + used_bytes), SLAB_BYTES - used_bytes)) continue;
        purged_bytes += os_page_set_bytes((OsPageSet)(last->free_pages & ~(unsigned)last->unbacked_pages));
        last->unbacked_pages = last->free_pages;
        superslab->backed_tails &= ~((uint32_t)1 << last->slab_index);
    }
    ADD_RELAXED(supply.purged_bytes, (uint64_t)purged_bytes);
    atomic_fetch_sub_explicit(&backed_free_bytes, purged_bytes, memory_order_relaxed);
    return (size_t)purged_bytes;
}

/* Puts `slabs` back into the supply, those that the kernel refused as backed. Returns the bytes given back. */
static size_t purge_finish(SuperSlab *superslab, uint32_t slabs, uint32_t refused) {
    int64_t purged_bytes = 0;
    for (uint32_t rest = slabs & ~refused; rest != 0; rest &= rest - 1) {
        Slab *slab = &superslab->slab[lowest_bit_index(rest)];
        purged_bytes += os_page_set_bytes((OsPageSet)(os_page_set_all() & ~slab->unbacked_pages));
        slab->unbacked_pages = os_page_set_all();
    }
    detached_end();
    superslab->purging_slabs &= ~slabs;
    superslab->free_slabs |= slabs;
    superslab->backed_free_slabs |= refused;
    supply_slabs_are_young(superslab, refused); /* the kernel is asked again later */
    supply_queue_update(superslab);
    ADD_RELAXED(supply.purged_bytes, (uint64_t)purged_bytes);
    atomic_fetch_sub_explicit(&backed_free_bytes, purged_bytes, memory_order_relaxed);
    return (size_t)purged_bytes;
}

/* Unmaps a spare SuperSlab. Called with the lock, which it releases meanwhile. False: the kernel refused. */
static bool release(SuperSlab *superslab, size_t *given_back_bytes) {
    supply_release_begin(superslab);
    lock_release(&supply_lock);
    bool is_unmapped = supply_release_finish(superslab, given_back_bytes);
    lock_acquire(&supply_lock);
    return is_unmapped;
}

/* Asks the kernel again to unmap refused SuperSlabs, the one refused longest ago first. At vm.max_map_count it
 * refuses a SuperSlab in the middle of a kernel mapping, but unmaps one that is a whole mapping, which makes room
 * for the former. */
static void release_refused(void) {
    enum { REFUSALS_MAX = 8 };
    size_t given_back_bytes = 0; /* stays 0: refused ones are not backed */
    const SuperSlab *first_refused = NULL;
    for (unsigned refusals = 0; refusals < REFUSALS_MAX && supply.spare_refused != NULL;) {
        SuperSlab *asked = supply.spare_last;
        if (asked == first_refused) break;
        if (release(asked, &given_back_bytes)) continue;
        if (first_refused == NULL) first_refused = asked;
        refusals++;
    }
}

size_t superslab_purge(uint32_t age_ms, int64_t target_bytes, size_t bytes_max) {
    size_t given_back_bytes = 0;
    uint32_t now_ms = (uint32_t)os_now_ms();
    lock_acquire(&supply_lock);
    run_cache_flush();
    while (atomic_load(&backed_free_bytes) > target_bytes && given_back_bytes < bytes_max) {
        SuperSlab *superslab = supply.queue.oldest;
        if (superslab == NULL || !os_has_aged(now_ms, superslab->queue_since_ms, age_ms)) break;
        uint32_t slabs = supply_slabs_aged(superslab, superslab->backed_free_slabs, now_ms, age_ms);
        bool is_all = slabs == superslab->backed_free_slabs;
        if (is_all && supply_used_slabs(superslab) == 0 && superslab->purging_slabs == 0) {
            size_t before_bytes = given_back_bytes;
            if (!release(superslab, &given_back_bytes) && given_back_bytes == before_bytes) break;
            continue;
        }
        if (slabs == 0) { /* tails only; under the lock, without which another thread could release the SuperSlab */
            uint32_t tails = supply_slabs_aged(superslab, superslab->backed_tails, now_ms, age_ms);
            if (tails != 0) huge_pages_split(superslab);
            given_back_bytes += purge_tails(superslab, tails);
            uint32_t refused = superslab->backed_tails & tails;
            supply_slabs_are_young(superslab, refused); /* the kernel is asked again later */
            supply_queue_renew(superslab);
            if (refused != 0) break;
            continue;
        }
        superslab->backed_free_slabs &= ~slabs;
        superslab->free_slabs &= ~slabs;
        superslab->purging_slabs |= slabs;
        supply_queue_renew(superslab);
        detached_begin();
        lock_release(&supply_lock);
        huge_pages_split(superslab);
        uint32_t refused = purge_slabs(superslab, slabs);
        lock_acquire(&supply_lock);
        given_back_bytes += purge_finish(superslab, slabs, refused);
        if (refused != 0) break;
        if (supply_used_slabs(superslab) == 0 && superslab->purging_slabs == 0 && superslab->backed_free_slabs == 0)
            (void)release(superslab, &given_back_bytes);
    }
    release_refused();
    lock_release(&supply_lock);
    return given_back_bytes;
}

static void put_back(SuperSlab *superslab, void *unused) {
    (void)unused;
    uint32_t slabs = superslab->purging_slabs;
    superslab->purging_slabs = 0;
    superslab->free_slabs |= slabs;
    superslab->backed_free_slabs |= slabs;
    supply_queue_update(superslab);
}

void superslab_purge_abandon(void) { (void)superslab_walk(put_back, NULL); }
