/*
 * fork_worker.pml - a thread that does anything but fork: what a fork may find it in the middle of. Included by
 * fork.pml, which has the state and the locks.
 */

/* step: purge_oldest_slabs, heap_slab_to_purging, heap_slab_from_purging */
inline purge_slab() {
    owner = slab_owner;
    acquire(HEAP + owner);
    atomic {
        is_taken = (slab_owner == owner && is_listed);
        if
        :: is_taken ->
            is_listed = 0;
            is_purging = 1;
#ifndef MUTATION_COUNT_AFTER_UNLOCK
#ifndef MUTATION_SLAB_NOT_COUNTED
            detached_count++
#endif
#endif
        :: else
        fi
    }
    release(HEAP + owner);
    if
    :: is_taken ->
#ifdef MUTATION_COUNT_AFTER_UNLOCK
        detached_count++;
#endif
#ifdef MUTATION_COUNT_BEFORE_BACK
        detached_count--;
#endif
        acquire(HEAP + owner);
        if
        :: owner < HEAPS && kind[owner] == KIND_POOLED ->
            acquire(SHARED_HEAP);
            slab_owner = OF_SHARED_HEAP;
            release(SHARED_HEAP)
        :: else
        fi;
        atomic {
            is_purging = 0;
            is_listed = 1;
#ifndef MUTATION_COUNT_BEFORE_BACK
#ifndef MUTATION_SLAB_NOT_COUNTED
            detached_count--
#endif
#endif
        }
        release(HEAP + owner)
    :: else
    fi
}

/* step: supply_release_begin, supply_release_finish */
inline release_superslab() {
    acquire(SUPPLY);
    is_taken = !is_superslab_detached;
    if
    :: is_taken ->
        atomic {
            is_superslab_detached = 1;
#ifndef MUTATION_SUPERSLAB_NOT_COUNTED
            detached_count++
#endif
        }
        release(SUPPLY);
        acquire(SUPPLY);
        atomic {
            is_superslab_detached = 0;
#ifndef MUTATION_SUPERSLAB_NOT_COUNTED
            detached_count--
#endif
        }
    :: else
    fi;
    release(SUPPLY)
}

/* step: thread_heap_attach, pool_take, pool_lock_at_rest */
inline thread_begins() {
    acquire(HEAP_LIST);
    is_taken = is_in_pool[1];
    is_in_pool[1] = 0;
    release(HEAP_LIST);
    if
    :: is_taken ->
        atomic { holder[HEAP + 1] == FREE && !(is_purging && slab_owner == 1) -> holder[HEAP + 1] = _pid }
#ifdef MUTATION_COUNT_AFTER_ATTACH
        kind[1] = KIND_THREAD;
        release(HEAP + 1);
        heap_thread_count++
#else
        atomic { kind[1] = KIND_THREAD; heap_thread_count++ }
        release(HEAP + 1)
#endif
    :: else
    fi
}

/* step: hand_over, heap_slabs_adopt, pool_put
 * The heap of the worker that began last; the state says whose it is. */
inline thread_ends() {
    acquire(HEAP + 1);
    is_taken = (kind[1] == KIND_THREAD);
    if
    :: is_taken ->
        acquire(SHARED_HEAP);
        atomic {
            if :: slab_owner == 1 && is_listed -> slab_owner = OF_SHARED_HEAP :: else fi;
            kind[1] = KIND_POOLED;
            heap_thread_count--
        }
        release(SHARED_HEAP)
    :: else
    fi;
    release(HEAP + 1);
    if
    :: is_taken ->
        acquire(HEAP_LIST);
        is_in_pool[1] = 1;
        release(HEAP_LIST)
    :: else
    fi
}

/* step: reclaim_others */
inline reclaim_others() {
    acquire(HEAP_LIST);
    acquire(HEAP);
    release(HEAP);
    acquire(HEAP + 1);
    release(HEAP + 1);
    release(HEAP_LIST)
}

/* step: adopted_slab
 * The heap takes the slab from the shared heap. */
inline adopt_slab() {
    acquire(HEAP + 1);
    if
    :: kind[1] == KIND_THREAD ->
        acquire(SHARED_HEAP);
        atomic {
            if :: slab_owner == OF_SHARED_HEAP && is_listed -> slab_owner = 1 :: else fi
        }
        release(SHARED_HEAP)
    :: else
    fi;
    release(HEAP + 1)
}

/* step: heap_slab_became_empty, superslab_slab_return */
inline empty_shared_slab() {
    acquire(SHARED_HEAP);
    acquire(SUPPLY);
    release(SUPPLY);
    release(SHARED_HEAP)
}

/* step: private_heap_destroy, pool_lock_at_rest
 * Waits for a purge with the lock of the list. */
inline destroy_heap() {
    acquire(HEAP_LIST);
#ifdef MUTATION_AT_REST_WITH_LOCK
    acquire(HEAP + 1);
    !(is_purging && slab_owner == 1);
#else
    atomic { holder[HEAP + 1] == FREE && !(is_purging && slab_owner == 1) -> holder[HEAP + 1] = _pid }
#endif
    release(HEAP + 1);
    release(HEAP_LIST)
}

/* step: helper_wake */
inline wake_helper() {
    acquire(HELPER);
    if :: helpers == 0 && !is_stopping -> helpers = 1 :: else fi;
    release(HELPER)
}

/* step: core_start */
inline start_core() {
    acquire(START);
    if :: core == NOT_STARTED -> core = HALF_STARTED; core = STARTED :: else fi;
    release(START)
}

proctype worker() {
    byte operations, owner;
    bit is_taken;
    do
    :: operations < OPERATIONS ->
        operations++;
        if
        :: purge_slab()
        :: release_superslab()
        :: thread_begins()
        :: thread_ends()
        :: reclaim_others()
        :: adopt_slab()
        :: empty_shared_slab()
        :: destroy_heap()
        :: wake_helper()
        :: start_core()
        fi;
        atomic { owner = 0; is_taken = 0 }
    :: else -> break
    od;
    ended++
}
