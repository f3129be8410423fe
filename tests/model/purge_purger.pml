/*
 * purge_purger.pml - a thread that purges: it detaches, lets the kernel work without a lock, and puts back. Included
 * by purge.pml, which has the state.
 */

/* step: batch_take, heap_slab_to_purging */
inline batch_take(visited) {
    acquire(heap_lock[visited]);
    atomic {
        slab = 0;
        do
        :: slab < SLABS && !(is_queued[slab] && slab_owner[slab] == visited) -> slab++
        :: else -> break
        od;
        if
        :: slab < SLABS ->
            assert(purging_pages[slab] == 0);
            purging_pages[slab] = FREE_BACKED(slab);
            purging_slabs[visited]++;
#ifndef MUTATION_HAND_OUT_WHILE_PURGING
            heap_slab_remove(visited, slab);
#endif
            heap_slab_queue_update(slab);
#ifndef MUTATION_FORGET_DETACHED
            detached_count++
#endif
        :: else -> slab = NO_SLAB
        fi;
        heap_lock[visited] = 0
    }
}

/* step: batch_return, heap_slab_from_purging */
inline batch_return(kept_by, taken_pages) {
    acquire(heap_lock[kept_by]);
    atomic {
        assert(slab_owner[slab] == kept_by && purging_pages[slab] != 0);
        unbacked[slab] = unbacked[slab] | taken_pages;
        purging_pages[slab] = 0;
        purging_slabs[kept_by]--;
        if
        :: used[slab] == 0 -> heap_slab_became_empty(kept_by, slab)
#ifndef MUTATION_BACK_TO_POOLED
        :: used[slab] != 0 && kind[kept_by] == KIND_POOLED ->
            acquire(heap_lock[HEAP_SHARED]);
            heap_slab_change_owner(HEAP_SHARED, kept_by, slab);
            is_listed[slab] = 1;
            heap_lock[HEAP_SHARED] = 0
        :: used[slab] != 0 && kind[kept_by] != KIND_POOLED ->
#else
        :: used[slab] != 0 ->
#endif
            is_listed[slab] = 1;
#ifndef MUTATION_NOT_QUEUED_AGAIN
            heap_slab_queue_update(slab)
#endif
        fi;
#ifndef MUTATION_FORGET_DETACHED
        detached_count--;
#endif
        heap_lock[kept_by] = 0
    }
}

/* step: batch_purge, os_purge_ranges
 * The kernel takes OS pages, or refuses. */
inline kernel_purges() {
    atomic {
        assert(is_mapped);
        assert((used[slab] & purging_pages[slab]) == 0);
        if :: purged = purging_pages[slab] :: purged = 0 fi
    }
}

/* step: superslab_purge, purge_slabs, purge_finish */
inline purge_supply() {
    acquire(supply_lock);
    atomic {
        slab = 0;
        do
        :: slab < SLABS && !(is_free[slab] && unbacked[slab] != BOTH_BLOCKS) -> slab++
        :: else -> break
        od;
        if
        :: slab < SLABS && IS_SPARE && !IS_PURGING -> release_superslab(); slab = NO_SLAB
        :: slab < SLABS ->
#ifndef MUTATION_SUPPLY_HANDS_OUT_DETACHED
            is_free[slab] = 0;
#endif
            is_purging_slab[slab] = 1;
            detached_count++;
            supply_lock = 0
        :: slab == SLABS -> slab = NO_SLAB; supply_lock = 0
        fi
    }
    if
    :: slab != NO_SLAB ->
        assert(is_mapped && slab_owner[slab] == NO_HEAP && used[slab] == 0);
        acquire(supply_lock);
        atomic {
            if :: unbacked[slab] = BOTH_BLOCKS :: skip fi;
            detached_count--;
            is_purging_slab[slab] = 0;
            is_free[slab] = 1;
            if
            :: IS_SPARE && !IS_PURGING && unbacked[slab] == BOTH_BLOCKS -> release_superslab()
            :: supply_lock = 0
            fi
        }
    :: else
    fi
}

/* step: purge_run, purge_oldest_slabs */
proctype purger() {
    byte rounds, slab, other, heap, purged;
    do
    :: rounds < ROUNDS ->
        rounds++;
        if :: heap = 0 :: heap = 1 :: heap = HEAP_SHARED :: heap = NO_HEAP fi;
        if
        :: heap == NO_HEAP -> purge_supply()
        :: else ->
            batch_take(heap);
            if :: slab != NO_SLAB -> kernel_purges(); batch_return(heap, purged) :: else fi
        fi;
        atomic { slab = 0; heap = 0; other = 0; purged = 0 }
    :: else -> break
    od;
    ended++
}
