/*
 * purge_lists.pml - locks, the lists of a heap, and the supply, with the functions that change them. Included by
 * purge.pml, which has the state.
 */

#define IS_IN_PLACE(slab) \
    (slab_owner[slab] == NO_HEAP -> is_free[slab] == is_mapped : \
     purging_pages[slab] == 0 && is_listed[slab] != (tls_slab[slab_owner[slab]] == slab))
#if SLABS == 2
#define IS_SPARE (slab_owner[0] == NO_HEAP && slab_owner[1] == NO_HEAP)
#define IS_PURGING (is_purging_slab[0] || is_purging_slab[1])
#define NOTHING_IS_DETACHED (!is_releasing && IS_IN_PLACE(0) && IS_IN_PLACE(1))
#else
#define IS_SPARE (slab_owner[0] == NO_HEAP)
#define IS_PURGING (is_purging_slab[0])
#define NOTHING_IS_DETACHED (!is_releasing && IS_IN_PLACE(0))
#endif

/* A freeze holds all locks. It takes all to be in its place when nothing is counted as detached. */
#define NO_LOCK_IS_HELD (!heap_lock[0] && !heap_lock[1] && !heap_lock[HEAP_SHARED] && !supply_lock)
inline acquire(wanted) {
    atomic {
        !wanted ->
        assert(!NO_LOCK_IS_HELD || detached_count > 0 || NOTHING_IS_DETACHED);
        wanted = 1
    }
}
inline release(held) { held = 0 }

/* A set without another. */
#define WITHOUT(set, other) ((set) & (BOTH_BLOCKS - (other)))
#define FREE_BACKED(slab) WITHOUT(BOTH_BLOCKS, used[slab] | unbacked[slab])

#ifdef MUTATION_LIST_WHILE_PURGING
#define IS_DETACHED(slab) false
#else
#define IS_DETACHED(slab) (purging_pages[slab] != 0)
#endif

/* ---- Lists: under the heap's lock ---- */

/* step: heap_slab_remove */
inline heap_slab_remove(its_heap, removed) {
    is_listed[removed] = 0;
#ifndef MUTATION_KEEP_TLS_SLAB
    if :: tls_slab[its_heap] == removed -> tls_slab[its_heap] = NO_SLAB :: else fi
#endif
}

/* step: heap_slab_queue_update */
inline heap_slab_queue_update(queued) { is_queued[queued] = (FREE_BACKED(queued) != 0 && purging_pages[queued] == 0) }

/* step: heap_slab_change_owner */
inline heap_slab_change_owner(new_owner, old_owner, moved) {
    heap_slab_remove(old_owner, moved);
    is_queued[moved] = 0;
    slab_owner[moved] = new_owner;
    heap_slab_queue_update(moved)
}

/* step: heap_slabs_adopt, heap_slabs_share, slab_adopt
 * Under both locks. What is detached stays. */
inline heap_slabs_adopt(giver) {
    other = 0;
    do
    :: other < SLABS ->
        if
#ifdef MUTATION_ADOPT_DETACHED
        :: slab_owner[other] == giver ->
#else
        :: slab_owner[other] == giver && (is_listed[other] || tls_slab[giver] == other) ->
#endif
            heap_slab_change_owner(HEAP_SHARED, giver, other);
            is_listed[other] = 1
        :: else
        fi;
        other++
    :: else -> break
    od;
    other = 0
}

/* ---- The supply ---- */

/* step: supply_release_begin, supply_release_finish
 * With the supply's lock, which it releases while the kernel unmaps. */
inline release_superslab() {
    atomic {
        assert(IS_SPARE);
#ifndef MUTATION_RELEASE_DETACHED
        assert(!IS_PURGING);
#endif
        is_mapped = 0;
        is_releasing = 1;
        detached_count++;
        other = 0;
        do :: other < SLABS -> is_free[other] = 0; other++ :: else -> break od;
        other = 0;
        supply_lock = 0
    }
    atomic { acquire(supply_lock); is_releasing = 0; detached_count--; supply_lock = 0 }
}

/* step: superslab_slab_return, supply_slabs_join, superslab_free
 * With the owner's lock. The SuperSlab without used slabs may stay, or go at once; never while the kernel has a part
 * of it. */
inline superslab_slab_return(returned) {
    acquire(supply_lock);
    atomic {
        assert(used[returned] == 0 && purging_pages[returned] == 0);
        slab_owner[returned] = NO_HEAP;
        is_free[returned] = 1;
        if
#ifdef MUTATION_RELEASE_DETACHED
        :: IS_SPARE -> release_superslab()
#else
        :: IS_SPARE && !IS_PURGING -> release_superslab()
#endif
        :: supply_lock = 0
        fi
    }
}

/* step: superslab_slab_take, superslab_allocate
 * With the lock of the heap. */
inline superslab_slab_take(taker) {
    acquire(supply_lock);
    atomic {
        if
        :: !is_mapped && !is_releasing -> /* step: superslab_new */
            is_mapped = 1;
            other = 0;
            do
            :: other < SLABS -> is_free[other] = 1; unbacked[other] = BOTH_BLOCKS; other++
            :: else -> break
            od
        :: else
        fi;
        other = 0;
        do :: other < SLABS && !is_free[other] -> other++ :: else -> break od;
        if
        :: other < SLABS ->
            slab = other;
            is_free[slab] = 0;
            slab_owner[slab] = taker;
            used[slab] = 0;
            is_queued[slab] = 0
        :: else -> slab = NO_SLAB
        fi;
        other = 0;
        supply_lock = 0
    }
}

/* step: heap_slab_became_empty */
inline heap_slab_became_empty(emptied_heap, emptied) {
    heap_slab_remove(emptied_heap, emptied);
    is_queued[emptied] = 0;
    superslab_slab_return(emptied)
}
