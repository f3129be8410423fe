/*
 * superslab/run.c - finds, grows, shrinks and returns runs of slabs.
 *
 * Layer: superslab. Tails are purged elsewhere (superslab_purge.c). Thread rule: see run.h; static functions run
 * under the supply lock.
 */
#include "superslab/run.h"

#include "superslab/huge_pages.h"
#include "superslab/registry.h"
#include "superslab/run_cache.h"
#include "superslab/supply.h"

static unsigned slabs_of(size_t bytes) { return (unsigned)((bytes + SLAB_BYTES - 1) >> SLAB_SHIFT); }

/* The OS pages that a block of `bytes` uses in slab `index` of its run. */
static OsPageSet pages_of_block(size_t bytes, unsigned index) {
    size_t offset = (size_t)index << SLAB_SHIFT;
    if (bytes <= offset) return 0;
    size_t pages = (bytes - offset) >> os_page_shift;
    size_t pages_per_slab = SLAB_BYTES >> os_page_shift;
    return pages >= pages_per_slab ? os_page_set_all() : (OsPageSet)(((size_t)1 << pages) - 1u);
}

/* ---- Find ---- */

/* The slabs, aligned to `alignment`, from which on `count` neighbouring slabs are in `slabs`. */
static uint32_t run_starts(uint32_t slabs, unsigned count, size_t alignment) {
    uint32_t starts = slabs;
    for (unsigned shift = 1; shift < count; shift++) starts &= slabs >> shift;
    uint32_t aligned = UINT32_MAX;
    for (size_t step = SLAB_BYTES; step < alignment; step *= 2)
        aligned &= step == SLAB_BYTES       ? 0x55555555u
                   : step == 2 * SLAB_BYTES ? 0x11111111u
                   : step == 4 * SLAB_BYTES ? 0x01010101u
                                            : 0x00010001u;
    return starts & aligned;
}

/* Neighbouring free slabs. */
typedef struct FreeRun {
    SuperSlab *superslab;
    unsigned first; /* index of the first one */
} FreeRun;

/* Backed slabs first. False: the SuperSlab has no such run. */
static bool find_free_run_in(SuperSlab *superslab, unsigned count, size_t alignment, FreeRun *found) {
    uint32_t backed = run_starts(superslab->backed_free_slabs, count, alignment);
    uint32_t starts = backed != 0 ? backed : run_starts(superslab->free_slabs, count, alignment);
    if (starts == 0) return false;
    *found = (FreeRun){superslab, lowest_bit_index(starts)};
    return true;
}

/* Recently freed slabs first, then the fullest SuperSlabs, then a spare or new one. Visits at most VISITS_MAX
 * SuperSlabs, so that a fragmented supply costs address space and not time. False: no memory. */
static bool find_free_run(unsigned count, size_t alignment, FreeRun *found) {
    enum { VISITS_MAX = 64 };
    unsigned visits = 0;
    for (SuperSlab *superslab = supply.queue.newest; superslab != NULL && visits < VISITS_MAX / 4; visits++) {
        if (run_starts(superslab->backed_free_slabs, count, alignment) != 0)
            return find_free_run_in(superslab, count, alignment, found);
        superslab = superslab->queue_previous;
    }
    for (unsigned used = SLABS_PER_SUPERSLAB - count; used > 0; used--)
        for (SuperSlab *superslab = supply.active_by_used[used]; superslab != NULL; superslab = superslab->next) {
            if (find_free_run_in(superslab, count, alignment, found)) return true;
            if (++visits >= VISITS_MAX) goto newborn;
        }
newborn:;
    SuperSlab *superslab = superslab_allocate();
    return superslab != NULL && find_free_run_in(superslab, count, alignment, found);
}

/* ---- OS pages ---- */

/* Sets the OS page sets of a run's `count` slabs for a block of `bytes`. False: an OS page that was free and
 * becomes used is backed, so its contents are not known to be zero. */
static bool set_used_pages(Slab *first, unsigned count, size_t bytes) {
    int64_t newly_used_bytes = 0, newly_free_bytes = 0, newly_backed_bytes = 0;
    for (unsigned index = 0; index < count; index++) {
        Slab *slab = first + index;
        unsigned used = pages_of_block(bytes, index);
        unsigned backed_free = slab->free_pages & ~(unsigned)slab->unbacked_pages;
        newly_used_bytes += os_page_set_bytes((OsPageSet)(used & backed_free));
        newly_backed_bytes += os_page_set_bytes((OsPageSet)(used & slab->unbacked_pages));
        newly_free_bytes += os_page_set_bytes((OsPageSet)(~used & ~(unsigned)slab->free_pages & os_page_set_all()));
        slab->free_pages = (OsPageSet)(os_page_set_all() & ~used);
        slab->unbacked_pages &= slab->free_pages;
    }
    atomic_fetch_add(&backed_free_bytes, newly_free_bytes - newly_used_bytes);
    first_touched((uint64_t)newly_backed_bytes);
    return newly_used_bytes == 0;
}

/* Restores backed_tails (I11) for a run. A backed tail is room to grow without a page fault; it is purged by age. */
static void tails_update(Slab *first, unsigned count) {
    SuperSlab *superslab = superslab_of_slab(first);
    for (unsigned index = 0; index < count; index++) {
        uint32_t bit = (uint32_t)1 << first[index].slab_index;
        bool is_backed = (first[index].free_pages & ~(unsigned)first[index].unbacked_pages) != 0;
        superslab->backed_tails = is_backed ? superslab->backed_tails | bit : superslab->backed_tails & ~bit;
    }
    supply_queue_update(superslab);
}

/* ---- Take, return, resize ---- */

/* Makes slabs `from` .. `to` - 1, counted from `first`, part of its run. */
static void slabs_to_run(Slab *first, unsigned from, unsigned to) {
    for (unsigned index = from; index < to; index++) {
        Slab *slab = first + index;
        slab->class_index = 0;
        slab->used_blocks = 0;
        STORE_RELAXED(slab->owner, RUN_OWNER);
        registry_slab_class_set(slab_address(slab), index == 0 ? SLAB_CLASS_LARGE : SLAB_CLASS_LARGE_INNER);
    }
}

/* Of `count` free slabs. NULL: no memory. */
static Slab *run_of_free_slabs(unsigned count, size_t alignment) {
    FreeRun found;
    if (!find_free_run(count, alignment, &found)) return NULL;
    Slab *first = &found.superslab->slab[found.first];
    (void)supply_slabs_leave(found.superslab, slab_set(found.first, count));
    slabs_to_run(first, 0, count);
    first->used_blocks = (uint16_t)count;
    first->run_bytes = 0; /* new, and no OS page of it in use */
    return first;
}

Slab *run_take(size_t bytes, size_t room_bytes, size_t alignment, bool *is_zero) {
    bytes = round_up_bytes(bytes, os_page_bytes);
    unsigned count = slabs_of(bytes), count_with_room = room_bytes > bytes ? slabs_of(room_bytes) : count;
    lock_acquire(&supply_lock);
    Slab *first = run_cache_take(count_with_room, alignment);
    *is_zero = false;
    if (first == NULL) {
        run_cache_flush();
        first = run_of_free_slabs(count_with_room, alignment);
        if (first == NULL && count_with_room != count) first = run_of_free_slabs(count, alignment);
        if (first == NULL) {
            lock_release(&supply_lock);
            return NULL;
        }
    }
    if (first->run_bytes != bytes) {
        unsigned slabs = first->used_blocks;
        bool is_cached = first->run_bytes != 0;
        *is_zero = set_used_pages(first, slabs, bytes) && !is_cached;
        first->run_bytes = bytes;
        if (is_cached) supply_slabs_are_young(superslab_of_slab(first), slab_set(first->slab_index, slabs));
        tails_update(first, slabs);
    }
    first->large_heap = NULL;
    supply.large_count++;
    ADD_RELAXED(supply.large_bytes, bytes);
    SuperSlab *superslab = superslab_of_slab(first);
    bool is_first_touch = superslab->is_huge_untouched;
    superslab->is_huge_untouched = false;
    lock_release(&supply_lock);
    if (is_first_touch) huge_pages_touch((void *)slab_address(first));
    return first;
}

static void purged_pages_to_free(Slab *slab) {
    slab->unbacked_pages |= (OsPageSet)(os_page_set_all() & ~slab->free_pages);
    slab->free_pages = os_page_set_all();
}

static bool is_live_run(Slab *first, const void *block) {
    return registry_slab_class(block) == SLAB_CLASS_LARGE && ptr_to_superslab(block) == superslab_of_slab(first);
}

static void count_returned(const Slab *first) {
    supply.large_count--;
    ADD_RELAXED(supply.large_bytes, -(uint64_t)first->run_bytes);
}

/* Called with the lock; returns without it. */
static void end_run(Slab *first) {
    SuperSlab *superslab = superslab_of_slab(first);
    uint32_t slabs = slab_set(first->slab_index, first->used_blocks);
    run_cache_flush(); /* the SuperSlab may die */
    (void)set_used_pages(first, first->used_blocks, 0);
    superslab->backed_tails &= ~slabs;
    supply_slabs_return(superslab, slabs);
}

bool run_return(Slab *first, const void *block) {
    lock_acquire(&supply_lock);
    if (!is_live_run(first, block)) { /* another thread has returned it */
        lock_release(&supply_lock);
        return false;
    }
    count_returned(first);
    if (run_cache_put(first))
        lock_release(&supply_lock);
    else
        end_run(first);
    return true;
}

/* The run is the caller's alone until it ends, so the kernel works without the lock. Its OS pages are given back and it
 * ends under one lock: who looks in between, and a child that is forked then, would find live bytes without memory. */
bool run_return_purged(Slab *first, const void *block) {
    huge_pages_split(superslab_of_slab(first));
    bool is_purged = os_purge((void *)slab_address(first), first->run_bytes);
    lock_acquire(&supply_lock);
    if (!is_live_run(first, block)) {
        lock_release(&supply_lock);
        return false;
    }
    if (is_purged) {
        ADD_RELAXED(supply.purged_bytes, first->run_bytes);
        ADD_RELAXED(supply.discarded_bytes, first->run_bytes);
        for (unsigned index = 0; index < first->used_blocks; index++) purged_pages_to_free(first + index);
    }
    count_returned(first);
    end_run(first);
    return true;
}

bool run_resize(Slab *first, size_t bytes) {
    SuperSlab *superslab = superslab_of_slab(first);
    bytes = round_up_bytes(bytes, os_page_bytes);
    unsigned count = slabs_of(bytes);
    lock_acquire(&supply_lock);
    unsigned old_count = first->used_blocks; /* with the room that run_take gave a growing block */
    bool is_growing = bytes >= first->run_bytes;
    if (count > old_count) {
        uint32_t more = slab_set(first->slab_index + old_count, count - old_count);
        bool is_inside = first->slab_index + count <= SLABS_PER_SUPERSLAB;
        if (is_inside) run_cache_flush();
        if (!is_inside || (superslab->free_slabs & more) != more) {
            lock_release(&supply_lock);
            return false;
        }
        (void)supply_slabs_leave(superslab, more);
        slabs_to_run(first, old_count, count);
    } else if (is_growing) {
        count = old_count;
    }
    (void)set_used_pages(first, count > old_count ? count : old_count, bytes);
    superslab->backed_tails &= ~slab_set(first->slab_index, old_count);
    if (count < old_count) (void)supply_slabs_join(superslab, slab_set(first->slab_index + count, old_count - count));
    if (!is_growing) supply_slabs_are_young(superslab, slab_set(first->slab_index + count - 1, 1)); /* its tail */
    first->used_blocks = (uint16_t)count;
    ADD_RELAXED(supply.large_bytes, bytes - first->run_bytes);
    first->run_bytes = bytes;
    tails_update(first, count);
    lock_release(&supply_lock);
    return true;
}
