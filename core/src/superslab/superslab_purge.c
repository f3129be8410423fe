/*
 * superslab/superslab_purge.c - free slabs and spare SuperSlabs go back to the OS, oldest first.
 *
 * Layer: superslab. Does not decide how much (heap/purge.c). Thread rule: any thread; the supply lock is not held
 * while the kernel works: the slabs in question are out of the supply meanwhile (purging_slabs).
 */
#include "platform/os.h"
#include "superslab/huge_pages.h"
#include "superslab/superslab.h"
#include "superslab/supply.h"

/* Purges the backed OS pages of the slabs in `slabs`, neighbours in one call. Returns the set of slabs that the kernel
 * refused. */
static uint32_t purge_slabs(SuperSlab *superslab, uint32_t slabs) {
    OsRange ranges[SLABS_PER_SUPERSLAB / 2];
    uint32_t runs[SLABS_PER_SUPERSLAB / 2];
    unsigned range_count = 0;
    while (slabs != 0) {
        unsigned first = lowest_bit_index(slabs);
        unsigned count = (unsigned)__builtin_ctzll(~((uint64_t)slabs >> first));
        runs[range_count] = (uint32_t)((((uint64_t)1 << count) - 1) << first);
        ranges[range_count] = (OsRange){(void *)(superslab->base + first * SLAB_BYTES), count * SLAB_BYTES};
        slabs &= ~runs[range_count++];
    }
    uint64_t refused_ranges = os_purge_ranges(ranges, range_count);
    uint32_t refused = 0;
    for (; refused_ranges != 0; refused_ranges &= refused_ranges - 1) refused |= runs[lowest_bit_index(refused_ranges)];
    return refused;
}

/* What blocks of runs leave unused behind their ends. The lock is kept, since a block may grow into these OS pages at
 * any time; it is one call for less than a slab. */
static size_t purge_tails(SuperSlab *superslab) {
    int64_t purged_bytes = 0;
    for (uint32_t rest = superslab->backed_tails; rest != 0; rest &= rest - 1) {
        Slab *last = &superslab->slab[lowest_bit_index(rest)];
        size_t used_bytes = (size_t)lowest_bit_index(last->free_pages) << os_page_shift;
        if (!os_purge((void *)(slab_address(last) + used_bytes), SLAB_BYTES - used_bytes)) continue;
        purged_bytes += os_page_set_bytes((OsPageSet)(last->free_pages & ~(unsigned)last->unbacked_pages));
        last->unbacked_pages = last->free_pages;
        superslab->backed_tails &= ~((uint32_t)1 << last->slab_index);
    }
    supply.purged_bytes += (uint64_t)purged_bytes;
    atomic_fetch_sub_explicit(&backed_free_bytes, purged_bytes, memory_order_relaxed);
    return (size_t)purged_bytes;
}

static size_t purge_finish(SuperSlab *superslab, uint32_t slabs, uint32_t refused) {
    int64_t purged_bytes = 0;
    for (uint32_t rest = slabs & ~refused; rest != 0; rest &= rest - 1) {
        Slab *slab = &superslab->slab[lowest_bit_index(rest)];
        purged_bytes += os_page_set_bytes((OsPageSet)(os_page_set_all() & ~slab->unbacked_pages));
        slab->unbacked_pages = os_page_set_all();
    }
    atomic_fetch_sub_explicit(&detached_count, 1, memory_order_relaxed);
    superslab->purging_slabs &= ~slabs;
    superslab->free_slabs |= slabs;
    superslab->backed_free_slabs |= refused; /* queued anew, as young: the kernel is asked again later */
    supply_queue_update(superslab);
    supply.purged_bytes += (uint64_t)purged_bytes;
    atomic_fetch_sub_explicit(&backed_free_bytes, purged_bytes, memory_order_relaxed);
    return (size_t)purged_bytes;
}

/* Called with the lock, given up meanwhile. False: the kernel refused. */
static bool release(SuperSlab *superslab, size_t *given_back_bytes) {
    supply_release_begin(superslab);
    lock_release(&supply_lock);
    bool is_unmapped = supply_release_finish(superslab, given_back_bytes);
    lock_acquire(&supply_lock);
    return is_unmapped;
}

/* The kernel is asked again, for that which it refused longest ago first: where it refuses a piece of a mapping, it may
 * unmap a whole one, and then the piece. */
static void release_refused(void) {
    enum { REFUSALS_MAX = 8 };
    size_t given_back_bytes = 0; /* nothing of these is backed */
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
    while (LOAD_RELAXED(backed_free_bytes) > target_bytes && given_back_bytes < bytes_max) {
        SuperSlab *superslab = supply.queue_oldest;
        if (superslab == NULL || !os_has_aged(now_ms, superslab->queue_since_ms, age_ms)) break;
        if (supply_used_slabs(superslab) == 0 && superslab->purging_slabs == 0) {
            size_t before_bytes = given_back_bytes;
            if (!release(superslab, &given_back_bytes) && given_back_bytes == before_bytes) break;
            continue;
        }
        uint32_t slabs = superslab->backed_free_slabs;
        if (slabs == 0) { /* just tails; without slabs in purging_slabs another thread may release the SuperSlab */
            huge_pages_split(superslab);
            given_back_bytes += purge_tails(superslab);
            if (superslab->backed_tails == 0) {
                supply_queue_update(superslab);
                continue;
            }
            supply_queue_remove(superslab); /* the kernel refused: asked again later, behind the others */
            supply_queue_append(superslab);
            break;
        }
        superslab->backed_free_slabs = 0;
        superslab->free_slabs &= ~slabs;
        superslab->purging_slabs |= slabs;
        supply_queue_update(superslab);
        atomic_fetch_add_explicit(&detached_count, 1, memory_order_relaxed);
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
