/*
 * superslab/superslab.c - births, deaths, and which slab is handed out next.
 *
 * Layer: superslab. Does not purge (superslab_purge.c). Thread rule: functions of superslab.h take the supply lock,
 * except superslab_total_active_blocks, which takes none; all others run under it, except supply_release_finish and
 * superslab_to_spare.
 *
 * Policy: the next slab is a backed one of the SuperSlab that was queued last (no page fault, warm caches); else
 * one of the fullest SuperSlab, so that sparse ones drain and die; else one of a spare or new SuperSlab, which is
 * born.
 */
#include "superslab/superslab.h"

#include <errno.h>

#include "platform/message.h"
#include "superslab/huge_pages.h"
#include "superslab/metadata.h"
#include "superslab/registry.h"
#include "superslab/run_cache.h"
#include "superslab/supply.h"

/* ---- Birth ---- */

/* Maps 2 MiB, aligned to 2 MiB: at a hint if the kernel agrees, else cut out of 4 MiB. 0: no memory. */
static uintptr_t superslab_map(void) {
    enum { HINTS_TRIED_MAX = 4 };
    uintptr_t address;
    for (unsigned tried = 0; tried < HINTS_TRIED_MAX; tried++) {
        uintptr_t hint = registry_next_hint();
        address = (uintptr_t)os_map(hint, SUPERSLAB_BYTES);
        if (address == 0) return 0;
        if (address == hint) registry_hint_accepted();
        if (address % SUPERSLAB_BYTES == 0) return address;
        registry_hint_refused(hint);
        os_unmap_or_purge((void *)address, SUPERSLAB_BYTES);
    }
    size_t wide_bytes = 2 * SUPERSLAB_BYTES;
    uintptr_t wide = (uintptr_t)os_map(0, wide_bytes);
    if (wide == 0) return 0;
    address = round_up_bytes(wide, SUPERSLAB_BYTES);
    if (address > wide) os_unmap_or_purge((void *)wide, address - wide);
    size_t behind_bytes = wide + wide_bytes - (address + SUPERSLAB_BYTES);
    os_unmap_or_purge((void *)(address + SUPERSLAB_BYTES), behind_bytes); /* an OS page at least */
    return address;
}

SuperSlab *supply_header_take(void) {
    HeaderStack *stack = supply.unused_headers;
    if (stack == NULL) return metadata_map(sizeof(SuperSlab));
    if (stack->count > 0) return stack->header[--stack->count];
    supply.unused_headers = stack->next;
    return (SuperSlab *)(void *)stack;
}

void supply_header_return(SuperSlab *superslab) {
    HeaderStack *stack = supply.unused_headers;
    if (stack == NULL || stack->count == HEADER_STACK_CAPACITY) {
        stack = (HeaderStack *)(void *)superslab;
        *stack = (HeaderStack){.next = supply.unused_headers};
        supply.unused_headers = stack;
    } else {
        stack->header[stack->count++] = superslab;
    }
}

static SuperSlab *superslab_new(void) {
    SuperSlab *superslab = supply_header_take();
    if (superslab == NULL) return NULL;
    superslab->base = superslab_map();
    if (superslab->base == 0) {
        supply_header_return(superslab);
        return NULL;
    }
    if (!registry_add(superslab, superslab->base, SUPERSLAB_BYTES, SLAB_CLASS_FREE)) {
        os_unmap_or_purge((void *)superslab->base, SUPERSLAB_BYTES);
        supply_header_return(superslab);
        return NULL;
    }
    bool is_huge = huge_pages_begin(superslab);
    superslab->is_huge_untouched = is_huge;
    superslab->is_mapping = false;
    superslab->free_slabs = UINT32_MAX;
    superslab->backed_free_slabs = is_huge ? UINT32_MAX : 0; /* the first touch backs all of it */
    superslab->backed_tails = 0;
    superslab->purging_slabs = 0;
    superslab->is_queued = false;
    for (unsigned index = 0; index < SLABS_PER_SUPERSLAB; index++) {
        Slab *slab = &superslab->slab[index];
        slab->slab_index = (uint8_t)index;
        slab->free_pages = os_page_set_all();
        slab->unbacked_pages = is_huge ? 0 : os_page_set_all();
        slab->purging_pages = 0;
        STORE_RELAXED(slab->owner, NULL);
    }
    if (is_huge) {
        supply_slabs_are_young(superslab, UINT32_MAX);
        atomic_fetch_add(&backed_free_bytes, (int64_t)SUPERSLAB_BYTES);
        first_touched(SUPERSLAB_BYTES);
    }
    supply_queue_update(superslab);
    supply.mapped_count++;
    supply_list_insert(superslab);
    return superslab;
}

SuperSlab *superslab_allocate(void) {
    if (supply.spare != NULL && supply.spare->purging_slabs == 0) return supply.spare;
    if (supply.spare_refused != NULL) return supply.spare_refused;
    return superslab_new();
}

/* ---- Slabs ---- */

static SuperSlab *superslab_with_free_slab(void) {
    enum { QUEUE_VISITS_MAX = 8 }; /* queued ones without a backed free slab have backed tails; they are few */
    SuperSlab *newest = supply.queue.newest;
    for (unsigned visits = 0; newest != NULL && visits < QUEUE_VISITS_MAX; visits++, newest = newest->queue_previous)
        if (newest->backed_free_slabs != 0) return newest;
    uint64_t candidates = supply.lists_in_use & (((uint64_t)1 << SLABS_PER_SUPERSLAB) - 1) & ~(uint64_t)1;
    while (candidates != 0) {
        unsigned used = 63u - (unsigned)__builtin_clzll(candidates);
        for (SuperSlab *superslab = supply.active_by_used[used]; superslab != NULL; superslab = superslab->next)
            if (superslab->free_slabs != 0) return superslab; /* else all others are in purging_slabs */
        candidates &= ~((uint64_t)1 << used);
    }
    return superslab_allocate();
}

bool supply_slabs_leave(SuperSlab *superslab, uint32_t slabs) {
    bool is_born = supply_used_slabs(superslab) == 0;
    HAK_ASSERT_OP(slabs & ~superslab->free_slabs, ==, 0);
    supply_list_remove(superslab);
    superslab->free_slabs &= ~slabs;
    superslab->backed_free_slabs &= ~slabs;
    supply_queue_update(superslab);
    supply_list_insert(superslab);
    supply.born += is_born;
    return is_born;
}

Slab *superslab_slab_take(Heap *owner, unsigned class_index, SlabSource *source) {
    lock_acquire(&supply_lock);
    run_cache_flush();
    SuperSlab *superslab = superslab_with_free_slab();
    if (superslab == NULL) {
        lock_release(&supply_lock);
        return NULL;
    }
    uint32_t choice = superslab->backed_free_slabs != 0 ? superslab->backed_free_slabs : superslab->free_slabs;
    Slab *slab = &superslab->slab[31u - (unsigned)__builtin_clz(choice)]; /* from above; runs are placed from below */
    bool is_born = supply_slabs_leave(superslab, (uint32_t)1 << slab->slab_index);
    slab->class_index = (uint8_t)class_index;
    slab->used_blocks = 0;
    STORE_RELAXED(slab->owner, owner);
    registry_slab_class_set(slab_address(slab), class_index);
    bool is_first_touch = superslab->is_huge_untouched;
    superslab->is_huge_untouched = false;
    lock_release(&supply_lock);
    if (is_first_touch) huge_pages_touch((void *)slab_address(slab));
    *source = is_born ? SLAB_OF_NEW_SUPERSLAB : SLAB_RECYCLED;
    return slab;
}

/* ---- Death ---- */

/* Its last used slab has come back. It stays spare while the kernel takes some of its slabs back, or if it saves
 * the next birth page faults: it is the only spare one and has a backed slab, or it has SPARE_BACKED_SLABS_MIN of
 * them. True: to be released; supply_release_begin is done. */
static bool superslab_free(SuperSlab *superslab) {
    enum { SPARE_BACKED_SLABS_MIN = 8 };
    supply.died++;
    supply_list_insert(superslab);
    bool is_only_spare = superslab->next == supply.spare_refused; /* not counting refused ones; both may be NULL */
    bool is_worth_keeping = is_only_spare || __builtin_popcount(superslab->backed_free_slabs) >= SPARE_BACKED_SLABS_MIN;
    if (superslab->purging_slabs != 0 || (is_worth_keeping && superslab->backed_free_slabs != 0)) return false;
    supply_release_begin(superslab);
    return true;
}

bool supply_slabs_join(SuperSlab *superslab, uint32_t slabs) {
    supply_slabs_free(superslab, slabs, (uint32_t)os_now_ms());
    supply_queue_update(superslab);
    if (supply_used_slabs(superslab) == 0) return superslab_free(superslab);
    supply_list_insert(superslab);
    return false;
}

void supply_slabs_return(SuperSlab *superslab, uint32_t slabs) {
    bool is_released = supply_slabs_join(superslab, slabs);
    lock_release(&supply_lock);
    size_t given_back_bytes = 0;
    if (is_released) (void)supply_release_finish(superslab, &given_back_bytes);
}

void superslab_slab_return(Slab *slab) {
    HAK_ASSERT_OP(slab->used_blocks, ==, 0);
    lock_acquire(&supply_lock);
    supply_slabs_return(superslab_of_slab(slab), (uint32_t)1 << slab->slab_index);
}

void superslab_slab_discard(Slab *slab) {
    int64_t backed_bytes = os_page_set_bytes((OsPageSet)(os_page_set_all() & ~slab->unbacked_pages));
    int64_t counted_bytes = os_page_set_bytes((OsPageSet)(slab->free_pages & ~slab->unbacked_pages));
    huge_pages_split(superslab_of_slab(slab));
    bool is_purged = os_purge((void *)slab_address(slab), SLAB_BYTES);
    lock_acquire(&supply_lock); /* hak_check reads the fields below under it; no heap lists the slab any more */
    slab->used_blocks = 0;
    if (is_purged) {
        slab->unbacked_pages = os_page_set_all();
        ADD_RELAXED(supply.purged_bytes, (uint64_t)backed_bytes);
        ADD_RELAXED(supply.discarded_bytes, (uint64_t)(backed_bytes - counted_bytes));
    }
    atomic_fetch_add(&backed_free_bytes, (is_purged ? 0 : backed_bytes) - counted_bytes);
    supply_slabs_return(superslab_of_slab(slab), (uint32_t)1 << slab->slab_index);
}

/* ---- Release: a spare SuperSlab is unmapped ---- */

static int64_t backed_bytes_of(const SuperSlab *superslab) {
    int64_t bytes = 0;
    for (unsigned index = 0; index < SLABS_PER_SUPERSLAB; index++)
        bytes += os_page_set_bytes((OsPageSet)(os_page_set_all() & ~superslab->slab[index].unbacked_pages));
    return bytes;
}

void supply_release_begin(SuperSlab *superslab) {
    HAK_ASSERT_OP(supply_used_slabs(superslab), ==, 0);
    HAK_ASSERT_OP(superslab->purging_slabs, ==, 0);
    if (superslab->is_queued) supply_queue_remove(&supply.queue, superslab);
    supply_list_remove(superslab);
    registry_remove_begin(superslab, superslab->base, SUPERSLAB_BYTES);
    supply.mapped_count--;
    detached_begin();
    atomic_fetch_sub_explicit(&backed_free_bytes, backed_bytes_of(superslab), memory_order_relaxed);
}

/* The kernel refused to unmap it: purges it, if the kernel does that, and puts it back among the spare ones. */
static void superslab_to_spare(SuperSlab *superslab, int64_t backed_bytes, size_t *given_back_bytes) {
    huge_pages_split(superslab);
    bool is_purged = backed_bytes == 0 || os_purge((void *)superslab->base, SUPERSLAB_BYTES);
    lock_acquire(&supply_lock);
    /* cannot fail: the radix leaf exists */
    (void)registry_add(superslab, superslab->base, SUPERSLAB_BYTES, SLAB_CLASS_FREE);
    supply.mapped_count++;
    if (is_purged) {
        for (unsigned index = 0; index < SLABS_PER_SUPERSLAB; index++)
            superslab->slab[index].unbacked_pages = os_page_set_all();
        superslab->backed_free_slabs = 0;
        ADD_RELAXED(supply.purged_bytes, (uint64_t)backed_bytes);
        *given_back_bytes += (size_t)backed_bytes;
        supply_list_insert_refused(superslab);
    } else {
        atomic_fetch_add(&backed_free_bytes, backed_bytes);
        supply_slabs_are_young(superslab, UINT32_MAX); /* the kernel is asked again later */
        supply_queue_update(superslab);
        supply_list_insert(superslab);
    }
    detached_end();
    lock_release(&supply_lock);
}

bool supply_release_finish(SuperSlab *superslab, size_t *given_back_bytes) {
    int64_t backed_bytes = backed_bytes_of(superslab);
    uintptr_t base = superslab->base;
    if (!os_unmap((void *)base, SUPERSLAB_BYTES)) {
        superslab_to_spare(superslab, backed_bytes, given_back_bytes);
        return false;
    }
    huge_pages_end(superslab);
    (void)os_purge(superslab, round_up_bytes(sizeof *superslab, os_page_bytes));
    lock_acquire(&supply_lock);
    registry_remove_finish(base, SUPERSLAB_BYTES);
    ADD_RELAXED(supply.purged_bytes, (uint64_t)backed_bytes);
    *given_back_bytes += (size_t)backed_bytes;
    supply_header_return(superslab);
    detached_end();
    lock_release(&supply_lock);
    return true;
}

/* ---- Stats ---- */

uint64_t superslab_total_active_blocks(const SuperSlab *superslab) {
    uint64_t blocks = 0;
    for (unsigned index = 0; index < SLABS_PER_SUPERSLAB; index++)
        if (LOAD_RELAXED(superslab->slab[index].owner) != NULL) blocks += superslab->slab[index].used_blocks;
    return blocks;
}
