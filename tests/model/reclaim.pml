/*
 * reclaim.pml - a thread takes the cached blocks of another one, which executes no barrier.
 *
 * Models one heap with one class: a magazine of two slots, and one slab of three blocks. The owner allocates, frees,
 * flushes the magazine when it is full and when it likes, and rebases after a free. With -DTHREADS_END its thread
 * ends, and the next thread takes the heap over. RECLAIMERS threads close the magazine, issue the barrier, and take
 * the blocks. The owner's memory is that of store_buffer.pml. What the heap's lock protects has no buffer: the lock
 * orders it.
 *
 * Leaves out: magazines that grow, several classes, slabs of other heaps, a second try after the system refused
 * memory.
 *
 * Checked: no block is handed out twice. None is lost: at the end each block is live, cached or free, and magazine
 * and slab hold the blocks that the program believes are there. Nobody waits for ever.
 *
 * OPERATIONS of the owner, ROUNDS of each reclaimer: how many. MUTATION_...: a step is left out or changed.
 */
#define VARIABLE_MALLOCS 0
#define VARIABLE_MALLOCS_DONE 1
#define VARIABLE_FREES 2
#define VARIABLE_FREES_DONE 3
#define VARIABLE_TOP 4
#define VARIABLE_FLOOR 5
#define VARIABLE_CEILING 6
#define VARIABLE_SLOT 7 /* and the next one */
#define VARIABLE_LOCK 9
#define VARIABLES 10
#define heap_lock memory[VARIABLE_LOCK]
#define EARLY_ONE VARIABLE_TOP
#define EARLY_TWO VARIABLE_FLOOR
#define EARLY_THREE VARIABLE_CEILING

#include "store_buffer.pml"

#ifndef OPERATIONS
#define OPERATIONS 3
#endif
#ifndef ROUNDS
#define ROUNDS 1
#endif
#ifndef RECLAIMERS
#define RECLAIMERS 1
#endif

#define CAPACITY 2
#define BLOCKS 3 /* numbered from 1 */
#define FLOOR_CLOSED 255
#define CEILING_CLOSED 0

/* Where each block is, as the program has it: what memory says is compared with that. */
#define IN_SLAB 0
#define CACHED 1
#define LIVE 2
#define IN_HAND 3
byte place[BLOCKS + 1];

bit list_lock;
bit is_closed, is_in_use, is_serving; /* under heap_lock */
byte copied[CAPACITY];                /* under list_lock */
byte ended; /* processes that are done */

inline list_lock_acquire() { atomic { !list_lock -> list_lock = 1 } }
inline lock_acquire() { atomic { !heap_lock -> heap_lock = 1 } }
inline lock_release(lock) { lock = 0 }

/* step: slab_return_blocks */
inline slab_return(which) {
    atomic {
        assert(which != 0 && place[which] == IN_HAND);
        place[which] = IN_SLAB
    }
}

#include "reclaim_owner.pml"

/* ---- Those who reclaim ---- */

/* step: is_candidate, magazines_close */
inline close_if_candidate() {
    lock_acquire();
    if
    :: is_serving && is_in_use ->
        is_closed = 1;
        memory[VARIABLE_FLOOR] = FLOOR_CLOSED;
        memory[VARIABLE_CEILING] = CEILING_CLOSED;
        is_any_closed = 1
    :: else
    fi;
    lock_release(heap_lock)
}

/* step: owner_is_outside */
inline see_whether_owner_is_outside() {
    mallocs_done = memory[VARIABLE_MALLOCS_DONE];
    frees_done = memory[VARIABLE_FREES_DONE];
    is_reclaimable = (memory[VARIABLE_MALLOCS] == mallocs_done);
    is_reclaimable = is_reclaimable && memory[VARIABLE_FREES] == frees_done
}

/* step: reclaim_class */
inline reclaim_class() {
#ifndef MUTATION_TAKE_WITHOUT_LOCK
    lock_acquire();
#endif
#ifdef MUTATION_TAKE_FROM_OWNER_INSIDE
    is_reclaimable = 1;
#else
    see_whether_owner_is_outside();
#endif
#ifndef MUTATION_TAKE_FROM_OPENED
    is_reclaimable = is_reclaimable && is_closed;
#endif
    if
    :: is_reclaimable ->
        count = memory[VARIABLE_TOP];
        index = 0;
        do
        :: index < count ->
            copied[index] = memory[VARIABLE_SLOT + index];
            atomic {
                assert(copied[index] != 0 && place[copied[index]] == CACHED);
                place[copied[index]] = IN_HAND
            }
            index++
        :: else -> break
        od;
        memory[VARIABLE_TOP] = 0;
        is_in_use = 0;
#ifdef MUTATION_RECLAIMER_OPENS
        memory[VARIABLE_FLOOR] = 0;
        memory[VARIABLE_CEILING] = 0;
        is_closed = 0;
#endif
    :: else
    fi;
#ifndef MUTATION_TAKE_WITHOUT_LOCK
    lock_release(heap_lock);
#endif
    index = 0;
    do
    :: index < count ->
        lock_acquire();
#ifdef MUTATION_RECLAIM_IN_PLACE
        slab_return(memory[VARIABLE_SLOT + index]);
#else
        slab_return(copied[index]);
#endif
        copied[index] = 0;
        lock_release(heap_lock);
        index++
    :: else -> break
    od
}

/* step: reclaim_others, reclaim */
proctype reclaimer() {
    byte at, rounds, count, index, mallocs_done, frees_done;
    bit is_any_closed, is_reclaimable;
    do
    :: rounds < ROUNDS ->
        rounds++;
#ifndef MUTATION_NO_LIST_LOCK
        list_lock_acquire();
#endif
#ifdef MUTATION_BARRIER_BEFORE_CLOSING
        barrier_in_all_threads();
#endif
        close_if_candidate();
        if
        :: is_any_closed ->
#ifndef MUTATION_NO_BARRIER
#ifndef MUTATION_BARRIER_BEFORE_CLOSING
            barrier_in_all_threads();
#endif
#endif
            lock_acquire();
            is_reclaimable = is_closed && is_in_use;
            lock_release(heap_lock);
            if :: is_reclaimable -> reclaim_class() :: else fi
        :: else
        fi;
#ifndef MUTATION_NO_LIST_LOCK
        lock_release(list_lock);
#endif
        atomic { count = 0; index = 0; mallocs_done = 0; frees_done = 0; is_any_closed = 0; is_reclaimable = 0 }
    :: else -> break
    od;
    ended++
}

/* ---- End and start ---- */

proctype end_state() {
    byte at, found;
    atomic {
        ended == RECLAIMERS + 1 && buffer_count == 0;
        assert(!heap_lock && !list_lock);
        at = 0;
        do
        :: at < memory[VARIABLE_TOP] ->
            assert(place[memory[VARIABLE_SLOT + at]] == CACHED);
            found++;
            at++
        :: else -> break
        od;
        at = 1;
        do
        :: at <= BLOCKS ->
            assert(place[at] != IN_HAND);
            if :: place[at] != CACHED -> found++ :: else fi;
            at++
        :: else -> break
        od;
        assert(found == BLOCKS)
    }
}

init {
    atomic {
        d_step {
            is_serving = 1;
            is_in_use = 1;
            memory[VARIABLE_CEILING] = CAPACITY;
            memory[VARIABLE_TOP] = CAPACITY;
            memory[VARIABLE_SLOT] = 1;
            memory[VARIABLE_SLOT + 1] = 2;
            place[1] = CACHED;
            place[2] = CACHED
        }
        if :: place[3] = LIVE :: place[3] = IN_SLAB fi;
        run processor();
        run owner();
        run reclaimer();
#if RECLAIMERS == 2
        run reclaimer();
#endif
        run end_state()
    }
}
