/*
 * helper.pml - the helper thread: woken, ending by itself, stopped by forks and checks, kept away by a quiesce. And
 * the wake-up that must not be lost.
 *
 * Models the helper's states under its lock, the words that it sleeps on, and one bit for the memory: free bytes
 * exceed the idle bound, or do not. They never exceed the burst bound. CALLERS threads free FREES times each, and
 * poll when `poll_at` says so. STOPS threads stop the helper and allow it again, as a fork or hak_check does.
 * QUIESCES: 1 is a thread that quiesces and ends that, 2 is one that does not end it. REFUSES: the kernel takes no
 * memory back. COMES_BACK: the thread that makes a helper frees meanwhile, and so comes back. RAW_CHILD: a process
 * that was made without the fork hooks. Its threads find the helper's state as the parent left it, its lock perhaps
 * held by a thread that is not there, and slabs in the middle of a purge. One of them trims.
 *
 * Memory: what a lock protects needs no model, nor do sequentially consistent words. The words about free memory have
 * to be such: with MUTATION_RELAXED_STORES a store to `poll_at` may wait in its thread's buffer, as on x86-64. With
 * MUTATION_RELAXED_SUMS what a caller adds to the free bytes may wait, as on aarch64.
 *
 * Leaves out: caches (bounds_poll_at_cached_bytes), the burst bound, reports, and time: what may have aged has, or
 * has not. While somebody stops the helper its timer does not fire, so a stop that only the timer would end is a
 * deadlock.
 *
 * Checked: there are never two helpers. After helper_stop, and in a quiesce, the kernel counts no helper. When nobody
 * calls any more and no helper works, free bytes are within the idle bound (not in a raw child). Nobody waits for
 * ever. With LIVENESS: when nobody calls any more, the helper brings free bytes within the idle bound.
 *
 * MUTATION_...: a step is left out or changed.
 */
#include "helper_sizes.pml"

mtype = {ABSENT, RUNNING, FINISHED, FUTILE, FORBIDDEN, BROKEN};
mtype state = ABSENT; /* under helper_lock, as quiesce_count */
byte quiesce_count;
bit helper_lock, is_stopping, has_ended;
bit is_being_made; /* under helper_lock: a thread makes the helper, without the lock */
byte signals;
byte working;    /* helpers */
byte counted[2]; /* threads of helpers that the kernel counts: of the newest one, and of the one before */
bit newest;
byte ended;      /* threads that call no more */

mtype = {POLL_NEXT_TIME, POLL_ABOVE_IDLE_BOUND, POLL_ABOVE_BURST_BOUND};
mtype poll_at = POLL_ABOVE_IDLE_BOUND;
bit exceeds;         /* free bytes exceed the idle bound */
byte waiting_stores; /* in buffers: POLL_NEXT_TIME, to poll_at */
bit waiting_free[2]; /* in buffers: what each caller adds to the free bytes */

mtype = {WIPED, BEING_CLAIMED, CLAIMED};
mtype mark = CLAIMED; /* what os_process_claim_inherited asks */
byte own_purges;      /* that threads of this process have begun */

#include "helper_words.pml"

/* ---- The helper ---- */

/* step: helper_run
 * One poll that finds nothing ends it here. A poll may come too early for what is to become old. */
inline helper_run() {
    is_futile = 0;
    do
    ::
#ifndef MUTATION_SIGNALS_READ_LATE
        seen_signals = signals;
#endif
        if :: is_stopping -> break :: else fi;
#ifdef MUTATION_SIGNALS_READ_LATE
        seen_signals = signals;
#endif
end_asleep:
        if /* step: os_wait_ms */
        :: signals != seen_signals
#ifndef MUTATION_SLEEPS_WITHOUT_TIMER
        :: !is_stopping /* the timer */
#endif
        fi;
        if :: is_stopping -> break :: else fi;
        if
        :: exceeds -> give_back()
#ifndef LIVENESS
        :: exceeds
#endif
#ifdef REFUSES
        :: exceeds && signals == seen_signals -> is_futile = 1; break
#endif
        :: !exceeds && signals == seen_signals -> break
        :: !exceeds && signals != seen_signals
        fi
    od
}

/* step: helper_main */
proctype helper(bit number) {
    byte seen_signals;
    bit is_done, is_futile, is_claiming;
    working++;
    assert(working == 1);
    do
    :: helper_run();
        acquire(helper_lock);
#ifndef MUTATION_POLL_SET_AFTER_LOOK
        if :: state == RUNNING -> poll_next_time() :: else fi;
#endif
#ifdef MUTATION_ENDS_WITHOUT_LOOK
        is_done = 1;
#else
        is_done = is_futile || !exceeds || is_stopping;
#endif
        if
        :: is_done && state == RUNNING ->
#ifdef MUTATION_POLL_SET_AFTER_LOOK
            poll_next_time();
#endif
            state = (is_futile -> FUTILE : FINISHED)
        :: else
        fi;
        helper_lock_release();
        if :: is_done -> break :: else fi
    od;
    atomic { working--; has_ended = 1 }
    counted[number]--
}

/* ---- Waking it ---- */

/* step: helper_wake, retention_poll
 * What the C library frees in the thread that makes a helper. That thread comes back here and must not wait for
 * itself. */
inline free_while_making() {
#ifdef COMES_BACK
    if
    :: exceeds = 1;
        if
        :: poll_at == POLL_ABOVE_BURST_BOUND
        :: poll_at != POLL_ABOVE_BURST_BOUND ->
            poll_at = POLL_ABOVE_BURST_BOUND;
            acquire(helper_lock);
            is_kept = IS_KEPT;
            helper_lock_release();
            if
            :: !is_kept -> poll_at = POLL_ABOVE_IDLE_BOUND; give_back()
            :: else
            fi
        fi
    :: skip
    fi
#else
    skip
#endif
}

/* step: start, os_helper_start */
inline start_helper() {
    is_stopping = 0;
    state = RUNNING;
    is_being_made = 1;
#ifndef MUTATION_MAKES_WITH_LOCK
    helper_lock_release();
#endif
    if
    :: has_older ->
        has_ended;
#ifndef MUTATION_OLDER_HELPER_NOT_AWAITED
        counted[newest] == 0; /* step: os_helper_await_gone */
#endif
        has_older = 0
    :: else
    fi;
    has_ended = 0;
    free_while_making();
    if
    :: atomic { newest = 1 - newest; counted[newest]++; run helper(newest) }
        free_while_making();
        is_made = 1
    :: skip
    fi;
#ifndef MUTATION_MAKES_WITH_LOCK
    acquire(helper_lock);
#endif
    is_being_made = 0;
    if :: !is_made -> state = BROKEN :: else fi;
    is_made = 0
}

/* step: helper_wake
 * Time has passed since a helper ended as futile, or could not be started, or has not. */
inline helper_wake(is_kept) {
    forget_inherited();
    acquire(helper_lock);
    if
    :: (state == FINISHED || state == FUTILE) && MAY_REPLACE ->
        has_older = 1;
        state = ABSENT
    :: state == BROKEN -> state = ABSENT
    :: state == FUTILE || state == BROKEN || (state == FINISHED && !MAY_REPLACE)
#ifdef MUTATION_WAKES_FORBIDDEN
    :: state == FORBIDDEN -> state = ABSENT
#endif
#ifdef MUTATION_WAKES_FINISHED_AS_RUNNING
    :: state == FINISHED -> state = RUNNING
#endif
    :: state == ABSENT || state == RUNNING || state == FORBIDDEN
    fi;
    if
#ifdef MUTATION_QUIESCE_FORGOTTEN
    :: state == ABSENT -> start_helper()
    :: state != ABSENT
#else
    :: state == ABSENT && quiesce_count == 0 -> start_helper()
    :: state != ABSENT || quiesce_count != 0
#endif
    fi;
    is_kept = IS_KEPT;
    helper_lock_release()
}

/* step: add_free_pages, retention_poll_if_due, retention_poll, bounds_set_next_poll */
proctype caller(byte number) {
    byte frees;
    bit is_delayed, is_kept, is_claiming, is_made, has_older;
    do
    :: frees < FREES ->
        frees++;
#ifdef MUTATION_RELAXED_SUMS
        waiting_free[number] = 1;
#else
        exceeds = 1;
#endif
        if
        :: poll_at == POLL_ABOVE_BURST_BOUND
        :: poll_at != POLL_ABOVE_BURST_BOUND ->
            is_delayed = exceeds || waiting_free[number];
            is_kept = 0;
#ifndef MUTATION_POLL_SET_AFTER_WAKE
            poll_at = (is_delayed -> POLL_ABOVE_BURST_BOUND : POLL_ABOVE_IDLE_BOUND);
#endif
            if :: is_delayed -> helper_wake(is_kept) :: else fi;
#ifdef MUTATION_POLL_SET_AFTER_WAKE
            poll_at = (is_delayed -> POLL_ABOVE_BURST_BOUND : POLL_ABOVE_IDLE_BOUND);
#endif
            if
            :: is_delayed && !is_kept ->
#ifndef MUTATION_POLL_STAYS_AT_BURST
                poll_at = POLL_ABOVE_IDLE_BOUND;
#endif
                waiting_free[number] == 0; /* purge_run takes locks */
                give_back()
            :: else
            fi
        fi;
        is_delayed = 0; is_kept = 0
    :: else -> break
    od;
    ended++
}

/* ---- Stopping it ---- */

/* step: helper_stop
 * Returns with the lock held. Where another thread stops the helper, too, or makes it, this one looks again until that
 * is over. */
inline helper_stop() {
    forget_inherited();
    do
    :: acquire(helper_lock);
        if
#ifdef MUTATION_STOPPED_WHILE_MADE
        :: state == RUNNING || state == FINISHED || state == FUTILE ->
#else
        :: is_being_made ->
            helper_lock_release();
            !is_being_made /* step: os_sleep_ms */
        :: !is_being_made && (state == RUNNING || state == FINISHED || state == FUTILE) ->
#endif
#ifndef MUTATION_NOT_FORBIDDEN
            state = FORBIDDEN;
#endif
            is_stopping = 1;
#ifndef MUTATION_AWAITS_WITH_LOCK
            helper_lock_release();
#endif
#ifndef MUTATION_STOP_WITHOUT_SIGNAL
            signals++; /* step: helper_poll_now */
#endif
            has_ended && counted[newest] == 0; /* step: os_helper_await_gone */
#ifndef MUTATION_AWAITS_WITH_LOCK
            acquire(helper_lock);
#endif
            state = ABSENT;
            break
        :: state == FORBIDDEN ->
            is_stopping = 1;
            helper_lock_release();
            state != FORBIDDEN /* step: os_sleep_ms */
        :: state == ABSENT || state == BROKEN -> break
        fi
    od
}

/* step: purge_to_idle_bound */
inline purge_to_idle_bound() {
    if :: exceeds -> give_back() :: else fi
}

/* step: core_freeze, core_thaw, helper_allow */
proctype stopper() {
    bit is_claiming;
    purge_to_idle_bound();
    helper_stop();
    assert(counted[0] + counted[1] == 0 && working == 0);
    if :: state == BROKEN -> state = ABSENT :: else fi;
    helper_lock_release();
    poll_next_time();
#ifndef MUTATION_NO_PURGE_AFTER_THAW
    purge_to_idle_bound();
#endif
    ended++
}

/* step: core_quiesce_begin, helper_quiesce_begin, helper_quiesce_end */
proctype quiescer() {
    bit is_claiming;
    purge_to_idle_bound();
    helper_stop();
    quiesce_count++;
    helper_lock_release();
#ifndef MUTATION_QUIESCE_LEAVES_POLL
    poll_next_time();
#endif
    purge_to_idle_bound();
    assert(counted[0] + counted[1] == 0);
#if QUIESCES == 1
    acquire(helper_lock);
    quiesce_count--;
    helper_lock_release();
    poll_next_time();
#endif
    ended++
}

/* step: hak_trim */
proctype trimmer() {
    bit is_claiming;
    give_back();
    ended++
}

/* ---- End and start ---- */

#define NOBODY_CALLS (ended == THREADS && waiting_stores == 0 && waiting_free[0] + waiting_free[1] == 0)

#ifdef LIVENESS
ltl given_back { [] (NOBODY_CALLS -> <> !exceeds) }
#endif

proctype end_state() {
    atomic {
        NOBODY_CALLS && counted[0] + counted[1] == 0;
        assert(!helper_lock && !is_being_made && state != RUNNING && state != FORBIDDEN);
#if !defined(REFUSES) && !defined(RAW_CHILD)
        assert(!exceeds)
#endif
    }
}

init {
    atomic {
#ifdef RAW_CHILD
        mark = WIPED;
        if
        :: state = ABSENT
        :: state = RUNNING
        :: state = FINISHED
        :: state = FORBIDDEN
        :: state = FUTILE
        :: state = BROKEN
        fi;
        if :: helper_lock = 1 :: skip fi;
        if :: is_being_made = 1 :: skip fi;
        if :: is_stopping = 1 :: has_ended = 1 fi;
        run trimmer();
#endif
        run processor();
        run caller(0);
#if CALLERS == 2
        run caller(1);
#endif
#if STOPS > 0
        run stopper();
#endif
#if STOPS == 2
        run stopper();
#endif
#if QUIESCES > 0
        run quiescer();
#endif
        run end_state()
    }
}
