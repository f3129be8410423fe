/*
 * retention/inherited.c - puts right what a child has inherited of its parent's helper and purges.
 *
 * Layer: retention. Thread rule: see inherited.h. Nothing can be done about a lock that a thread of the parent held.
 */
#include "retention/inherited.h"

#include "heap/heap_slabs.h"
#include "platform/os.h"
#include "retention/bounds.h"
#include "retention/burst.h"
#include "retention/helper_state.h"
#include "superslab/superslab.h"

static void chain_purging(SuperSlab *superslab, void *chain) {
    Slab **first = chain;
    for (unsigned index = 0; index < SLABS_PER_SUPERSLAB; index++) {
        Slab *slab = &superslab->slab[index];
        if (slab->purging_pages == 0) continue;
        slab->next = *first; /* it is in no list */
        *first = slab;
    }
}

void inherited_purges_abandon(void) {
    superslab_purge_abandon();
    Slab *purging = NULL;
    (void)superslab_walk(chain_purging, &purging);
    while (purging != NULL) {
        Slab *slab = purging;
        purging = slab->next;
        Heap *owner = LOAD_RELAXED(slab->owner);
        lock_acquire(&owner->lock);
        (void)heap_slab_from_purging(owner, slab, slab->purging_pages);
        lock_release(&owner->lock);
    }
}

static void put_right(void) {
    helper_state_forget();
    burst_inherit();
    STORE_RELAXED(detached_count, 0);
    inherited_purges_abandon();
    os_process_claim_end();
    bounds_poll_next_time(); /* the parent may have left all up to the burst bound to its helper */
}

void inherited_put_right(void) {
    lock_hand_fills();
    if (HAK_UNLIKELY(os_process_claim_inherited())) put_right();
    lock_hand_empties();
}
