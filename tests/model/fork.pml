/*
 * fork.pml - a fork, or hak_check, holds the whole core still. A forked child has the forking thread alone, and is
 * usable.
 *
 * Models all locks in their order, the helper as far as its lock goes, one slab of a heap, one SuperSlab that is to
 * be unmapped, two heaps beside the shared one, and the pool. FORKS threads fork, CHECKS threads call hak_check,
 * WORKERS threads purge, release, reclaim, wake the helper, start the core, begin, end, and destroy a heap
 * (fork_worker.pml). At each fork the child's memory is looked at as the child finds it, and put right as fork_child
 * does. Without TIMES_OUT the wait for what is detached has no bound: a thread that can never put back what it
 * detached is a deadlock. With it the wait may be over too early. Locks protect all of this, so no memory weaker than
 * a sequentially consistent one is needed.
 *
 * Leaves out: blocks (a thread between two steps loses those that it has in hand), magazines, the metadata lock.
 *
 * Checked: at the fork the forking thread holds every lock, the kernel counts no helper, and the core is started or
 * not begun. Unless the wait was over too early nothing is detached. In the child no slab is detached, each heap
 * serves its thread or is in the pool, and heap_thread_count is right. At the end of the parent, likewise. Nobody
 * waits for ever.
 *
 * OPERATIONS of each worker: how many. MUTATION_...: a step is left out or changed.
 */
#ifndef WORKERS
#define WORKERS 1
#endif
#ifndef OPERATIONS
#define OPERATIONS 2
#endif
#ifndef FORKS
#define FORKS 1
#endif
#ifndef CHECKS
#define CHECKS 0
#endif

/* By rank, as in LockRank. The two heaps have one rank; all are taken in the order of the list. */
#define START 0
#define HELPER 1
#define HEAP_LIST 2
#define HEAP 3 /* and the next one */
#define SHARED_HEAP 5
#define SUPPLY 6
#define LOCKS 7
#define FREE 255
byte holder[LOCKS];

#define HEAPS 2
#define OF_SHARED_HEAP 2
mtype = {KIND_THREAD, KIND_POOLED};
mtype kind[HEAPS];      /* heap 0 is the forking thread's */
bit is_in_pool[HEAPS];
byte heap_thread_count;

byte slab_owner;        /* a heap, or OF_SHARED_HEAP */
bit is_listed, is_purging;
bit is_superslab_detached;
byte detached_count;

mtype = {NOT_STARTED, HALF_STARTED, STARTED};
mtype core = NOT_STARTED;
byte helpers; /* 1: it runs */
bit is_stopping;
byte ended;

inline acquire(wanted) { atomic { holder[wanted] == FREE -> holder[wanted] = _pid } }
inline release(held) { assert(holder[held] == _pid); holder[held] = FREE }

#include "fork_worker.pml"

/* ---- The helper ---- */

/* step: helper_main
 * The helper ends when it is told to; its last act takes the lock. */
proctype helper() {
end:
    do
    :: helpers == 1 && is_stopping ->
        acquire(HELPER);
        release(HELPER);
        helpers = 0
    od
}

/* ---- Freeze ---- */

/* step: helper_stop
 * Returns with the lock. Another thread may be stopping the helper, too. */
inline helper_stop() {
    acquire(HELPER);
    do
    :: is_stopping -> release(HELPER); !is_stopping; acquire(HELPER)
    :: helpers == 1 && !is_stopping ->
        is_stopping = 1;
        release(HELPER);
        helpers == 0;
        acquire(HELPER);
        is_stopping = 0;
        break
    :: helpers == 0 && !is_stopping -> break
    od;
#ifdef MUTATION_HELPER_LOCK_RELEASED
    release(HELPER)
#endif
}

/* step: lock_all, heap_lock_all */
inline lock_all() {
#ifdef MUTATION_HEAPS_BEFORE_LIST
    acquire(HEAP);
    acquire(HEAP + 1);
    acquire(HEAP_LIST);
#else
    acquire(HEAP_LIST);
    acquire(HEAP);
    acquire(HEAP + 1);
#endif
#ifdef MUTATION_SUPPLY_BEFORE_SHARED_HEAP
    acquire(SUPPLY);
    acquire(SHARED_HEAP)
#else
    acquire(SHARED_HEAP);
    acquire(SUPPLY)
#endif
}

/* step: unlock_all, heap_unlock_all */
inline unlock_all() {
    atomic {
        release(SUPPLY);
        release(SHARED_HEAP);
        release(HEAP + 1);
        release(HEAP);
        release(HEAP_LIST)
    }
}

/* step: core_freeze */
inline core_freeze() {
#ifndef MUTATION_HELPER_STAYS
    helper_stop();
#endif
    lock_all();
#ifndef MUTATION_NO_WAIT
    do
    :: detached_count != 0 && !has_run_out ->
#ifndef MUTATION_WAITS_WITH_LOCKS
        unlock_all();
#endif
        if
        :: detached_count == 0
#ifdef TIMES_OUT
        :: has_run_out = 1
#endif
        fi;
#ifndef MUTATION_WAITS_WITH_LOCKS
        lock_all()
#endif
    :: else -> break
    od
#endif
}

/* step: core_thaw, core_release_locks, helper_allow */
inline core_thaw() {
    unlock_all();
#ifndef MUTATION_HELPER_LOCK_RELEASED
#ifndef MUTATION_HELPER_STAYS
    release(HELPER)
#endif
#endif
}

/* What holds while the core is frozen. */
inline check_frozen() {
    assert(helpers == 0);
    assert(has_run_out || (!is_purging && !is_superslab_detached && detached_count == 0));
    assert(is_listed != is_purging)
}

/* ---- The child ---- */

/* step: fork_child, inherited_purges_abandon, pool_gather, thread_heap_detach
 * On copies: the parent goes on with its own. */
inline look_at_child() {
    d_step {
        assert(core != HALF_STARTED);
        child_detached = detached_count;
        child_purging = is_purging;
        child_pooled = (kind[1] == KIND_POOLED);
        child_in_pool = is_in_pool[1];
        child_threads = heap_thread_count;
        child_owner = slab_owner;
#ifndef MUTATION_CHILD_KEEPS_COUNT
        child_detached = 0;
#endif
#ifndef MUTATION_CHILD_KEEPS_PURGING
        if
        :: child_purging && child_owner == 1 && child_pooled -> child_owner = OF_SHARED_HEAP
        :: else
        fi;
        child_purging = 0;
#endif
#ifndef MUTATION_CHILD_KEEPS_HEAPS
        if
        :: !child_pooled ->
            child_pooled = 1;
            child_in_pool = 1;
            child_threads--;
            if :: child_owner == 1 -> child_owner = OF_SHARED_HEAP :: else fi
        :: else
        fi;
#endif
#ifndef MUTATION_HEAP_NOT_YET_IN_POOL
        child_in_pool = child_pooled;
#endif
        assert(child_detached == 0 && !child_purging);
        assert(child_pooled && child_in_pool && child_owner != 1);
        assert(child_threads == 1);
        child_detached = 0; child_purging = 0; child_pooled = 0; child_in_pool = 0; child_threads = 0; child_owner = 0
    }
}

/* step: before_fork, after_fork_in_parent */
proctype forker() {
    byte child_detached, child_threads, child_owner;
    bit has_run_out, child_purging, child_pooled, child_in_pool;
#ifndef MUTATION_NO_START_LOCK
    acquire(START);
#endif
    core_freeze();
    check_frozen();
    look_at_child();
    core_thaw();
#ifndef MUTATION_NO_START_LOCK
    release(START);
#endif
    ended++
}

/* step: hak_check */
proctype checker() {
    bit has_run_out;
    core_freeze();
    check_frozen();
    core_thaw();
    ended++
}

/* ---- End and start ---- */

proctype end_state() {
    byte at;
    atomic {
        ended == WORKERS + FORKS + CHECKS;
        do :: at < LOCKS -> assert(holder[at] == FREE); at++ :: else -> break od;
        assert(detached_count == 0 && !is_purging && is_listed && !is_superslab_detached);
        assert(heap_thread_count == 1 + (kind[1] == KIND_THREAD));
        assert(is_in_pool[1] == (kind[1] == KIND_POOLED) && (slab_owner != 1 || kind[1] == KIND_THREAD))
    }
}

init {
    byte at;
    atomic {
        do :: at < LOCKS -> holder[at] = FREE; at++ :: else -> break od;
        kind[0] = KIND_THREAD;
        is_listed = 1;
        if
        :: kind[1] = KIND_THREAD; heap_thread_count = 2; slab_owner = 1
        :: kind[1] = KIND_POOLED; heap_thread_count = 1; is_in_pool[1] = 1; slab_owner = OF_SHARED_HEAP
        fi;
        run helper();
        at = 0;
        do :: at < WORKERS -> run worker(); at++ :: else -> break od;
        run forker();
#if FORKS == 2
        run forker();
#endif
#if CHECKS == 1
        run checker();
#endif
        run end_state()
    }
}
