/*
 * helper_words.pml - whether a helper is kept, the words about free memory, giving memory back, and what a raw child
 * puts right first. Included by helper.pml, which has the state.
 */

#define IS_KEPT (state == RUNNING || state == FUTILE)
#ifdef MUTATION_REPLACED_WHILE_MADE
#define MAY_REPLACE 1
#else
#define MAY_REPLACE (!is_being_made)
#endif

inline acquire(wanted) { atomic { !wanted -> wanted = 1 } }
inline helper_lock_release() { atomic { waiting_stores == 0 -> helper_lock = 0 } }

/* step: bounds_poll_next_time */
inline poll_next_time() {
#ifdef MUTATION_RELAXED_STORES
    waiting_stores++
#else
    poll_at = POLL_NEXT_TIME
#endif
}

proctype processor() {
end:
    do
    :: atomic { waiting_stores > 0 -> poll_at = POLL_NEXT_TIME; waiting_stores-- }
    :: atomic { waiting_free[0] -> exceeds = 1; waiting_free[0] = 0 }
    :: atomic { waiting_free[1] -> exceeds = 1; waiting_free[1] = 0 }
    od
}

/* step: purge_run */
inline give_back() {
#ifdef RAW_CHILD
#ifndef MUTATION_PURGE_WITHOUT_CLAIM
    forget_inherited();
#endif
    own_purges++;
#endif
#ifndef REFUSES
    exceeds = 0;
#endif
#ifdef RAW_CHILD
    own_purges--;
#endif
    skip
}

/* ---- A raw child ---- */

/* step: inherited_put_right, helper_state_forget, os_process_claim_inherited, os_process_claim_end
 * At the end come slabs that the parent's threads were purging: none of this process's may be among them. */
inline forget_inherited() {
#ifdef RAW_CHILD
    atomic {
        is_claiming = (mark == WIPED);
        if
        :: is_claiming ->
#ifdef MUTATION_NO_WAIT_FOR_CLAIM
            mark = CLAIMED
#else
            mark = BEING_CLAIMED
#endif
        :: else
        fi
    }
    if
    :: is_claiming ->
        is_claiming = 0;
#ifndef MUTATION_LOCK_STAYS_INHERITED
        helper_lock = 0; /* step: lock_reset */
#endif
        acquire(helper_lock);
        if :: state != BROKEN -> state = ABSENT :: else fi;
        is_being_made = 0;
        is_stopping = 0;
        helper_lock_release();
        assert(own_purges == 0); /* step: inherited_purges_abandon */
        mark = CLAIMED
    :: else -> mark == CLAIMED
    fi
#else
    skip
#endif
}
