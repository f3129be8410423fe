/*
 * account_thread.pml - a thread that counts in the account, alone or with others. Included by account.pml, which has
 * the state.
 */

/* ---- Counting where a fast path does not ---- */

/* step: owner_enter */
inline owner_enter() {
#ifndef MUTATION_SLOW_PATH_NOT_ANNOUNCED
    atomic {
        read(FREES(thread_number), number);
        write(FREES_DONE(thread_number), number - 1, PLAIN)
    }
#else
    skip
#endif
}

/* step: owner_leave */
inline owner_leave() {
    atomic {
        read(FREES(thread_number), number);
        write(FREES_DONE(thread_number), number, RELEASE)
    }
}

/* step: see, account_held_bytes_with
 * seen_shared and used are of one generation, so their sum is never more than the account held at some moment. */
inline see() {
    do
    ::  atomic { forget_own_early_loads(); seen_shared = shared; seen_generation = generation }
        read(VARIABLE_USED, used);
#ifdef MUTATION_GENERATION_READ_ONCE
        break
#else
        atomic { forget_own_early_loads(); is_current = (generation == seen_generation) }
        if :: is_current -> break :: else fi
#endif
    od;
#ifdef MUTATION_LOOKS_AT_USER
    read_in_order(VARIABLE_USER, user);
    is_current = (user == NOBODY);
#else
#ifdef MUTATION_CLAIM_NOT_NOTICED
    is_current = 1;
#else
    is_current = (seen_generation == share_generation && share_generation % 2 == 0);
#endif
#endif
    if
    :: is_current -> assert(SEEN_WITHIN_LIMIT)
    :: else -> list_lock_acquire(); list_lock_release()
    fi
}

/* step: change_shared_bytes
 * Shared bytes and generation are one word. */
inline change_shared_bytes(change) {
    atomic {
        IN_ORDER;
        forget_own_early_loads();
        is_done = (shared == seen_shared);
#ifndef MUTATION_LOOKS_AT_USER
#ifndef MUTATION_CLAIM_NOT_NOTICED
        is_done = is_done && generation == seen_generation;
#endif
#endif
        if :: is_done -> shared = shared + change :: else fi
    }
}

inline forget_seen() { atomic { is_current = 0; seen_shared = 0; seen_generation = 0; used = 0 } }

/* step: add_shared, add_shared_bytes */
inline add_shared() {
    do
    ::  see();
        if
        :: !is_current -> break
        :: is_current && used + seen_shared + 1 > LIMIT -> is_done = 1; break
        :: is_current && used + seen_shared + 1 <= LIMIT ->
            change_shared_bytes(1);
            if :: is_done -> is_granted = 1; break :: else fi
        fi
    od;
    forget_seen()
}

/* step: subtract_shared, account_sum
 * What the account does not hold is not subtracted. */
inline subtract_shared() {
    do
    ::  see();
        if
        :: !is_current -> break
        :: is_current ->
            moved = (used + seen_shared > 0 -> 1 : 0);
            change_shared_bytes(-moved);
            if :: is_done -> break :: else fi
        fi
    od;
    moved = 0;
    forget_seen()
}

/* step: account_add, add_plainly */
inline account_add() {
    do
    :: !is_done ->
        counts_alone();
        if
        :: is_alone ->
            owner_enter();
            read(VARIABLE_USER, user); /* step: account_is_counted_by */
            if
            :: user == thread_number ->
                read(VARIABLE_USED, used);
                if
                :: used + 1 <= LIMIT -> write(VARIABLE_USED, used + 1, PLAIN); is_granted = 1
                :: else
                fi;
                is_done = 1
            :: else
            fi;
            owner_leave()
        :: !is_alone -> add_shared()
        fi
    :: is_done -> break
    od
}

/* step: account_subtract, account_subtract_plainly */
inline account_subtract() {
    do
    :: !is_done ->
        counts_alone();
        if
        :: is_alone ->
            owner_enter();
            read(VARIABLE_USER, user); /* step: account_is_counted_by */
            if
            :: user == thread_number ->
                read(VARIABLE_USED, used);
                if :: used > 0 -> used-- :: else fi;
                write(VARIABLE_USED, used, PLAIN);
                is_done = 1
            :: else
            fi;
            owner_leave()
        :: !is_alone -> subtract_shared()
        fi
    :: is_done -> break
    od
}

/* ---- Requests ---- */

/* step: hak_heap_malloc, malloc_fast, malloc_withdrawn, malloc_checked */
inline malloc_block() {
#ifndef SLOW_PATHS
    read(VARIABLE_USED, used);
    if
    :: used + 1 <= LIMIT ->
#ifdef MUTATION_COMPARES_BEFORE_ANNOUNCEMENT
        read(VARIABLE_USER, user);
#endif
        read(MALLOCS(thread_number), number); /* step: heap_malloc_announce */
        write(MALLOCS(thread_number), number + 1, PLAIN);
#ifndef MUTATION_COMPARES_BEFORE_ANNOUNCEMENT
        read(VARIABLE_USER, user); /* step: account_is_counted_by */
#endif
        if
        :: user == thread_number ->
            read(VARIABLE_USED, used); /* step: account_add_plainly */
            write(VARIABLE_USED, used + 1, PLAIN);
            is_granted = 1;
            is_done = 1;
            /* step: heap_malloc_done */
#ifdef MUTATION_DONE_WITHOUT_RELEASE
            write(MALLOCS_DONE(thread_number), number + 1, PLAIN)
#else
            write(MALLOCS_DONE(thread_number), number + 1, RELEASE)
#endif
        :: else -> write(MALLOCS(thread_number), number, PLAIN) /* step: heap_malloc_withdraw */
        fi
    :: skip
    fi;
#endif
    account_add();
    if
    :: is_granted ->
        atomic {
            held++;
            assert(HARD_LIMIT_HOLDS);
            if
            :: HAS_BUFFER -> own++
            :: HAS_BUFFER -> given++; store(VARIABLE_GIVEN, given, RELEASE)
            :: !HAS_BUFFER -> theirs++
            fi
        }
    :: else
    fi
}

/* step: free_checked, account_holds
 * The block is held, so this is no misuse. While another thread moves the account it may seem to be. */
inline look_whether_held() {
    read(VARIABLE_USED, used);
    moved = shared;
    if
    :: used + moved > 0
    :: else ->
#ifndef MUTATION_MISUSE_SEEN_WITHOUT_LOCK
        list_lock_acquire();
        read(VARIABLE_USED, used);
        moved = shared;
        list_lock_release();
#endif
        assert(used + moved > 0)
    fi;
    moved = 0
}

/* step: hak_heap_free, free_or, free_withdrawn_or
 * The block is out of the program's hands. used_bytes is read before the announcement. */
inline free_block() {
#ifndef SLOW_PATHS
    read(VARIABLE_USED, used);
    if
    :: used > 0 ->
        read(FREES(thread_number), number); /* step: heap_free_announce */
        write(FREES(thread_number), number + 1, PLAIN);
        read(VARIABLE_USER, user); /* step: account_is_counted_by */
        if
        :: user == thread_number ->
            write(VARIABLE_USED, used - 1, PLAIN);
            is_done = 1;
            write(FREES_DONE(thread_number), number + 1, RELEASE) /* step: heap_free_done */
        :: else -> write(FREES(thread_number), number, PLAIN) /* step: heap_free_withdraw */
        fi
    :: skip
    fi;
#endif
    if :: is_done :: else -> look_whether_held(); account_subtract() fi
}

proctype thread(byte thread_number) {
    byte operations, given, at, user, used, number, seen_former, seen_generation, share_generation;
    byte mallocs_done, frees_done;
    short seen_shared, moved;
    bit is_alone, is_settled, is_current, is_granted, is_done;
    do
    :: operations < OPERATIONS ->
        operations++;
        if
        :: malloc_block()
        :: atomic { thread_number == 0 && own > 0 -> own--; held-- } free_block()
        :: atomic { theirs > 0 -> theirs--; held--; forget_own_early_loads() } free_block()
        :: atomic { thread_number != 0 && memory[VARIABLE_GIVEN] > taken -> taken++; held-- } free_block()
        fi;
        atomic { user = 0; used = 0; number = 0; share_generation = 0; is_alone = 0; is_granted = 0; is_done = 0 }
    :: else -> break
    od;
    ended++
}
