/*
 * reclaim_owner.pml - the owner of a heap: malloc, free, flush, and the end of its thread. Included by reclaim.pml,
 * which has the state.
 */

/* step: lock_try_acquire, lock_release
 * On x86-64 both are full barriers. Elsewhere the first lets earlier stores wait, and no later load pass; the second
 * comes after all earlier stores, and later ones may pass it. */
inline owner_lock_acquire() {
    atomic {
#ifndef WEAK
        buffer_count == 0;
#endif
        !heap_lock -> heap_lock = 1;
        d_step { forget_early_loads() }
    }
}
inline owner_lock_release() {
#ifdef WEAK
    store(VARIABLE_LOCK, 0, RELEASE)
#else
    atomic { buffer_count == 0 -> heap_lock = 0 }
#endif
}

/* step: magazine_pop */
inline magazine_pop(is_served) {
    load(VARIABLE_TOP, top);
    load(VARIABLE_FLOOR, bound);
    if
    :: top > bound ->
        atomic {
            load(VARIABLE_SLOT + top - 1, block);
            assert(block != 0 && place[block] == CACHED);
            place[block] = LIVE
        }
#ifdef MUTATION_ANNOUNCE_AFTER_POP
        store(VARIABLE_TOP, top - 1, PLAIN);
        store(VARIABLE_MALLOCS, number, PLAIN);
#else
#ifdef MUTATION_DONE_BEFORE_POP
        store(VARIABLE_MALLOCS_DONE, number, RELEASE);
#endif
        store(VARIABLE_TOP, top - 1, PLAIN);
#endif
        is_served = 1
    :: else -> is_served = 0
    fi
}

/* step: magazine_push */
inline magazine_push(is_served) {
    load(VARIABLE_TOP, top);
    load(VARIABLE_CEILING, bound);
    if
    :: top < bound ->
        store(VARIABLE_SLOT + top, block, PLAIN);
        atomic {
            store(VARIABLE_TOP, top + 1, PLAIN);
            place[block] = CACHED
        }
        is_served = 1
    :: else -> is_served = 0
    fi
}

/* step: magazines_open */
inline magazines_open_if_closed() {
    if
    :: is_closed ->
        store(VARIABLE_FLOOR, 0, PLAIN);
        store(VARIABLE_CEILING, (is_in_use -> CAPACITY : 0), PLAIN);
        is_closed = 0
    :: else
    fi
}

/* step: magazines_open_class */
inline magazines_open_class() {
    is_in_use = 1;
    store(VARIABLE_FLOOR, 0, PLAIN);
    store(VARIABLE_CEILING, CAPACITY, PLAIN)
}

/* step: magazines_detach_oldest
 * The `count` oldest of `top` blocks change places with those above them; `left` says where they begin then. */
inline magazines_detach_oldest() {
    left = top - count;
    if
    :: count == 1 && top == CAPACITY ->
        load(VARIABLE_SLOT, block);
        load(VARIABLE_SLOT + 1, other);
        atomic {
            assert(place[block] == CACHED && place[other] == CACHED);
            place[block] = IN_HAND
        }
        store(VARIABLE_SLOT, other, PLAIN);
        store(VARIABLE_SLOT + 1, block, PLAIN)
    :: else ->
        other = left;
        do
        :: other < top ->
            load(VARIABLE_SLOT + other, block);
            atomic {
                assert(place[block] == CACHED);
                place[block] = IN_HAND
            }
            other++
        :: else -> break
        od
    fi;
    store(VARIABLE_TOP, left, PLAIN)
}

/* step: heap_return_blocks
 * Out of the magazine's own slots, where magazines_detach_oldest has left them. */
inline owner_return_in_place() {
    do
    :: count > 0 ->
        load(VARIABLE_SLOT + left, block);
        owner_lock_acquire();
        slab_return(block);
        owner_lock_release();
        left++;
        count--
    :: else -> break
    od
}

/* step: flush_class */
inline flush_class() {
    owner_lock_acquire();
    load(VARIABLE_TOP, top);
    count = top;
    magazines_detach_oldest();
    /* step: magazines_reset_class */
    is_in_use = 0;
    if
    :: !is_closed ->
        store(VARIABLE_FLOOR, 0, PLAIN);
        store(VARIABLE_CEILING, 0, PLAIN)
    :: else
    fi;
    owner_lock_release();
    owner_return_in_place()
}

/* step: owner_enter */
inline owner_enter() {
    load(VARIABLE_FREES, number);
#ifndef SPARE_FLUSH_WITHOUT_ENTER
    store(VARIABLE_FREES_DONE, number - 1, PLAIN)
#endif
}

/* step: refill_and_pop */
inline refill_and_pop() {
    magazines_open_class();
    count = 0;
    other = 1;
    do
    :: other <= BLOCKS ->
        if
        :: place[other] == IN_SLAB && count < CAPACITY ->
            store(VARIABLE_SLOT + count, other, PLAIN);
            place[other] = CACHED;
            block = other;
            count++
        :: else
        fi;
        other++
    :: else -> break
    od;
    if
    :: count > 0 ->
        place[block] = LIVE;
        store(VARIABLE_TOP, count - 1, PLAIN);
        is_served = 1
    :: else
    fi;
    count = 0
}

/* step: heap_malloc, heap_malloc_announce, heap_malloc_slow, pop_or_refill, out_of_memory */
inline owner_malloc() {
    load(VARIABLE_MALLOCS, number);
    number++;
#ifndef MUTATION_ANNOUNCE_AFTER_POP
    store(VARIABLE_MALLOCS, number, PLAIN);
#endif
    magazine_pop(is_served);
    if
    :: is_served
    :: else ->
        owner_lock_acquire();
        magazines_open_if_closed();
        magazine_pop(is_served);
        if :: is_served :: else -> refill_and_pop() fi;
        owner_lock_release();
        if :: is_served :: else -> number--; store(VARIABLE_MALLOCS, number, PLAIN) fi
    fi;
    /* step: owner_malloc_done */
#ifdef MUTATION_DONE_WITHOUT_RELEASE
    store(VARIABLE_MALLOCS_DONE, number, PLAIN)
#else
    store(VARIABLE_MALLOCS_DONE, number, RELEASE)
#endif
}

/* step: heap_free_slow, flush_and_push */
inline owner_free_slow() {
    freed = block;
    owner_lock_acquire();
    magazines_open_if_closed();
    magazines_open_class();
    load(VARIABLE_TOP, top);
    if
    :: top < CAPACITY -> magazine_push(is_served); assert(is_served); owner_lock_release()
    :: else ->
        if :: count = 1 :: count = CAPACITY fi;
        magazines_detach_oldest();
        owner_lock_release();
#ifdef MUTATION_DONE_BEFORE_RETURN
        store(VARIABLE_FREES_DONE, number, RELEASE);
#endif
        owner_return_in_place();
        block = freed;
        magazine_push(is_served);
        if
        :: is_served
        :: else ->
            /* step: push_into_closed */
            owner_lock_acquire();
#ifndef MUTATION_PUSH_WITHOUT_OPENING
            magazines_open_if_closed();
#endif
            magazine_push(is_served);
            assert(is_served);
            owner_lock_release()
        fi
    fi;
    freed = 0
}

/* step: flush_own, owner_leave */
inline owner_flush() {
    owner_enter();
    flush_class();
    load(VARIABLE_FREES, number);
    store(VARIABLE_FREES_DONE, number, RELEASE)
}

/* step: empty_heap_rebase
 * The number of mallocs changes, and its twin after it. */
inline owner_rebase() {
    load(VARIABLE_MALLOCS, number);
    if :: number++ :: number-- fi;
    store(VARIABLE_MALLOCS, number, PLAIN);
    store(VARIABLE_MALLOCS_DONE, number, RELEASE)
}

/* step: heap_free_announce */
inline announce_free() {
    load(VARIABLE_FREES, number);
    number++;
    store(VARIABLE_FREES, number, PLAIN)
}

/* step: heap_free, heap_free_fast */
inline owner_free() {
    place[block] = IN_HAND;
    announce_free();
    magazine_push(is_served);
    if
    :: !is_served -> /* step: heap_free_withdraw */
        store(VARIABLE_FREES, number - 1, PLAIN);
        announce_free();
        magazine_push(is_served)
    :: skip
    fi;
    if :: is_served :: else -> owner_free_slow() fi;
    /* step: owner_free_done */
    store(VARIABLE_FREES_DONE, number, RELEASE);
    if /* step: empty_heap_rebase_is_due, empty_heap_flush_if_due */
    :: owner_rebase()
    :: skip
    fi
}

/* step: thread_heap_detach, hand_over, pool_retire */
inline thread_ends() {
    owner_enter();
    flush_class();
    owner_lock_acquire();
    store(VARIABLE_MALLOCS, 0, PLAIN);
    store(VARIABLE_MALLOCS_DONE, 0, PLAIN);
    store(VARIABLE_FREES, 0, PLAIN);
    store(VARIABLE_FREES_DONE, 0, PLAIN);
    is_serving = 0;
    owner_lock_release()
}

/* step: thread_heap_attach, pool_take
 * Another thread: it shares no buffer with the one before it. */
inline next_thread_begins() {
    atomic { buffer_count == 0; list_lock_acquire() }
    list_lock = 0;
    owner_lock_acquire();
    is_serving = 1;
    store(VARIABLE_TOP, 0, PLAIN);
    is_closed = 1;
    magazines_open_if_closed();
    owner_lock_release()
}

proctype owner() {
    byte at, top, bound, number, block, other, count, left, freed, operations;
    bit is_served;
    do
    :: operations < OPERATIONS ->
        operations++;
        if
        :: owner_malloc()
        :: atomic { place[1] == LIVE -> block = 1 } owner_free()
        :: atomic { place[2] == LIVE -> block = 2 } owner_free()
        :: atomic { place[3] == LIVE -> block = 3 } owner_free()
        :: owner_flush()
#ifdef MUTATION_REBASE_AFTER_MALLOC
        :: owner_rebase()
#endif
#ifdef THREADS_END
        :: thread_ends(); next_thread_begins()
#endif
        fi;
        atomic { top = 0; bound = 0; number = 0; block = 0; other = 0; count = 0; left = 0; is_served = 0 }
    :: else -> break
    od;
    ended++
}
