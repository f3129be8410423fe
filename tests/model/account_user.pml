/*
 * account_user.pml - who counts alone: revoke, settle, claim; and how a thread reads and writes. Included by
 * account.pml, which has the state.
 */

/* ---- Memory: of the first thread, with its buffer ---- */

#ifdef SEQUENTIAL
#define HAS_BUFFER 0
#else
#define HAS_BUFFER (thread_number == 0)
#endif

inline read(variable, into) {
    if
    :: HAS_BUFFER -> load(variable, into)
    :: !HAS_BUFFER -> into = memory[variable]
    fi
}

inline write(variable, value, order) {
    if
    :: HAS_BUFFER -> store(variable, value, order)
    :: !HAS_BUFFER -> memory[variable] = value
    fi
}

/* A sequentially consistent load. */
inline read_in_order(variable, into) {
    if
    :: HAS_BUFFER ->
        atomic {
            d_step { forget_early_loads() }
            load(variable, into)
        }
    :: !HAS_BUFFER -> into = memory[variable]
    fi
}

/* Before a sequentially consistent store or read-modify-write; it is one step with what follows. */
#define IN_ORDER (!HAS_BUFFER || buffer_count == 0)
inline forget_own_early_loads() {
    if :: HAS_BUFFER -> d_step { forget_early_loads() } :: else fi
}

inline list_lock_acquire() {
    atomic {
#ifdef WEAK
        !list_lock -> list_lock = 1;
#else
        IN_ORDER && !list_lock -> list_lock = 1;
#endif
        forget_own_early_loads()
    }
}
inline list_lock_release() { atomic { IN_ORDER -> list_lock = 0 } }

/* ---- Revoke, settle, claim ---- */

/* step: revoke */
inline revoke(revoked) {
    list_lock_acquire();
    if
    :: memory[VARIABLE_USER] == revoked ->
#ifdef MUTATION_BARRIER_BEFORE_REVOKING
        barrier_in_all_threads();
#endif
        is_former_findable = 0;
        former = revoked;
        atomic { IN_ORDER -> memory[VARIABLE_USER] = NOBODY }
        if
        ::
#ifndef MUTATION_NO_BARRIER
#ifndef MUTATION_BARRIER_BEFORE_REVOKING
            barrier_in_all_threads();
#endif
#endif
            is_former_findable = 1
#ifdef TIMES_OUT
        :: is_wait_cut = 1
#endif
        fi;
        atomic { IN_ORDER -> generation++ }
    :: else
    fi;
    list_lock_release()
}

/* step: owner_is_outside */
#define IS_OUTSIDE(number) \
    (memory[MALLOCS(number)] == memory[MALLOCS_DONE(number)] && memory[FREES(number)] == memory[FREES_DONE(number)])
inline see_whether_former_is_outside(number) {
    mallocs_done = memory[MALLOCS_DONE(number)];
    frees_done = memory[FREES_DONE(number)];
    is_settled = (memory[MALLOCS(number)] == mallocs_done);
    is_settled = is_settled && memory[FREES(number)] == frees_done;
    atomic { mallocs_done = 0; frees_done = 0 }
}

/* step: await_outside, is_wait_over */
inline await_outside(number) {
#ifdef MUTATION_NO_WAIT
    is_settled = 1;
#else
    do
    :: is_former_findable && IS_OUTSIDE(number) ->
        see_whether_former_is_outside(number);
        if :: is_settled -> break :: else fi
#ifdef TIMES_OUT
    :: is_wait_cut = 1; break
#endif
    od;
#endif
    skip
}

/* step: settle
 * A former user is outside itself. */
inline settle() {
    if
    :: former != NOBODY ->
        list_lock_acquire();
        seen_former = former;
        seen_generation = generation;
        list_lock_release();
        if
        :: seen_former == thread_number -> is_settled = 1
        :: seen_former != thread_number && seen_former != NOBODY -> await_outside(seen_former)
        :: seen_former == NOBODY
        fi;
        if
        :: is_settled ->
            list_lock_acquire();
            if :: generation == seen_generation -> former = NOBODY :: else fi;
            list_lock_release()
        :: else
        fi;
        atomic { seen_former = 0; seen_generation = 0; is_settled = 0 }
    :: former == NOBODY
    fi
}

/* step: claim */
inline claim() {
    list_lock_acquire();
    if
#ifdef MUTATION_CLAIMS_UNSETTLED
    :: memory[VARIABLE_USER] == NOBODY ->
#else
    :: memory[VARIABLE_USER] == NOBODY && former == NOBODY ->
#endif
#ifdef MUTATION_MOVES_BEFORE_CLAIM
        moved = shared;
        read(VARIABLE_USED, used);
        write(VARIABLE_USED, used + moved, RELEASE);
        atomic { IN_ORDER -> shared = shared - moved; generation++; forget_own_early_loads() }
#else
        atomic { IN_ORDER -> moved = shared; shared = 0; generation++; forget_own_early_loads() }
        read(VARIABLE_USED, used);
        write(VARIABLE_USED, used + moved, RELEASE);
#endif
        atomic { IN_ORDER -> memory[VARIABLE_USER] = thread_number }
        atomic { moved = 0; used = 0 }
    :: else
    fi;
    list_lock_release()
}

/* step: counts_alone, has_come_often */
inline counts_alone() {
    read_in_order(VARIABLE_USER, user);
    is_alone = (user == thread_number);
    if
    :: !is_alone ->
        if :: user != NOBODY -> revoke(user) :: else fi;
#ifndef MUTATION_GENERATION_AFTER_SETTLING
        atomic { forget_own_early_loads(); share_generation = generation }
#endif
        settle();
#ifdef MUTATION_GENERATION_AFTER_SETTLING
        atomic { forget_own_early_loads(); share_generation = generation }
#endif
        if
        :: atomic { claims_left > 0 -> claims_left-- } claim()
        :: skip
        fi;
        read_in_order(VARIABLE_USER, user);
        atomic { is_alone = (user == thread_number); user = 0 }
    :: is_alone
    fi
}
