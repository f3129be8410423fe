/*
 * purge.pml - the kernel takes free OS pages back, without a lock, while threads allocate, free, end and begin.
 *
 * Models one SuperSlab of SLABS slabs with two blocks each; a block is as large as an OS page. Two threads have a
 * heap each. They take blocks, free blocks of either heap, hand over the other one's slabs, end, and are followed by
 * a thread with the same heap. PURGERS threads purge slabs of all heaps, free slabs of the supply, and release the
 * SuperSlab. With -DPRIVATE the first heap is a host's, which destroys it with its blocks. Locks protect all of this,
 * but for a slab's owner when a block goes back. A critical section is one step here, because nobody sees the states
 * inside it. So no memory weaker than a sequentially consistent one is needed.
 *
 * Leaves out: magazines, size classes, ages and bounds (a purge takes what it likes), runs, mappings, tails, huge
 * pages, batches of more than one slab.
 *
 * Checked: no block is handed out twice, or while the kernel takes its OS page. The kernel takes no OS page that a
 * used block touches, or that is not mapped. Whenever no lock is held and nothing is counted as detached, each slab
 * is in its place: in a list of its heap, its TLS slab, or the supply's. At the end nothing is detached, no pooled
 * heap has a slab, each block is live or free, and what can be purged is in a queue (I14). Nobody waits for ever.
 *
 * OPERATIONS of each thread, ROUNDS of each purger: how many. MUTATION_...: a step is left out or changed.
 */
#ifndef SLABS
#define SLABS 1
#endif
#ifndef OPERATIONS
#define OPERATIONS 3
#endif
#ifndef ROUNDS
#define ROUNDS 1
#endif
#ifndef PURGERS
#define PURGERS 1
#endif

#define THREADS 2
#define HEAP_SHARED 2
#define HEAPS 3
#define NO_HEAP 3
#define NO_SLAB 255
#define BOTH_BLOCKS 3 /* a set of blocks, or of the OS pages that they are */

mtype = {KIND_THREAD, KIND_PRIVATE, KIND_POOLED, KIND_SHARED};

bit heap_lock[HEAPS], supply_lock;
mtype kind[HEAPS];
byte purging_slabs[HEAPS];
byte tls_slab[HEAPS];

byte slab_owner[SLABS]; /* whose list it is in, unless it is in none; NO_HEAP: the supply's */
bit is_listed[SLABS], is_queued[SLABS];
byte used[SLABS], unbacked[SLABS], purging_pages[SLABS];
bit is_free[SLABS], is_purging_slab[SLABS]; /* sets of the SuperSlab */
bit is_mapped, is_releasing;
byte detached_count;

byte live[SLABS]; /* of the program: blocks that a caller holds */
byte ended;

#include "purge_lists.pml"

/* ---- A thread with its heap ---- */

/* step: fullest_slab, adopted_slab
 * A slab of the heap with a free block, in its list or its TLS place. */
inline find_slab(searched) {
    other = 0;
    do
    :: other < SLABS && !(slab_owner[other] == searched && is_listed[other] && used[other] != BOTH_BLOCKS) -> other++
    :: else -> break
    od;
    slab = (other < SLABS -> other : NO_SLAB);
    other = 0;
    if
    :: tls_slab[searched] != NO_SLAB && used[tls_slab[searched]] != BOTH_BLOCKS -> slab = tls_slab[searched]
    :: else
    fi
}

/* step: heap_take_blocks, superslab_refill, slab_take_blocks */
inline take_block() {
    acquire(heap_lock[heap]);
    find_slab(heap);
    if
    :: slab == NO_SLAB && kind[heap] == KIND_THREAD ->
        acquire(heap_lock[HEAP_SHARED]);
        atomic {
            find_slab(HEAP_SHARED);
            if :: slab != NO_SLAB -> heap_slab_change_owner(heap, HEAP_SHARED, slab) :: else fi;
            heap_lock[HEAP_SHARED] = 0
        }
    :: else
    fi;
    if :: slab == NO_SLAB -> superslab_slab_take(heap) :: else fi;
    atomic {
        if
        :: slab != NO_SLAB ->
            if
            :: tls_slab[heap] != NO_SLAB && tls_slab[heap] != slab -> is_listed[tls_slab[heap]] = 1
            :: else
            fi;
            is_listed[slab] = 0;
            tls_slab[heap] = slab;
            assert(slab_owner[slab] == heap && is_mapped);
            assert(purging_pages[slab] == 0 && !is_purging_slab[slab]);
            block = ((used[slab] & 1) -> 2 : 1);
            assert((used[slab] & block) == 0 && (live[slab] & block) == 0);
            used[slab] = used[slab] | block;
            live[slab] = live[slab] | block;
            unbacked[slab] = WITHOUT(unbacked[slab], block);
            heap_slab_queue_update(slab)
        :: else
        fi;
        slab = 0; block = 0;
        heap_lock[heap] = 0
    }
}

/* step: owner_lock_move, owner_lock_return_run, slab_return_blocks
 * The block is out of its caller's hands. */
inline return_block() {
    do
    :: owner = slab_owner[slab];
        assert(owner != NO_HEAP);
        acquire(heap_lock[owner]);
#ifdef MUTATION_OWNER_NOT_COMPARED_AGAIN
        break
#else
        if :: slab_owner[slab] == owner -> break :: else -> release(heap_lock[owner]) fi
#endif
    od;
    atomic {
        assert((used[slab] & block) != 0);
        used[slab] = WITHOUT(used[slab], block);
        if
        :: IS_DETACHED(slab)
        :: !IS_DETACHED(slab) && used[slab] == 0 -> heap_slab_became_empty(owner, slab)
        :: !IS_DETACHED(slab) && used[slab] != 0 ->
            heap_slab_queue_update(slab);
            is_listed[slab] = (tls_slab[owner] != slab) /* step: heap_slab_move */
        fi;
        slab = 0; block = 0;
        heap_lock[owner] = 0;
        owner = 0
    }
}

/* step: hand_over */
inline thread_ends() {
    acquire(heap_lock[heap]);
    acquire(heap_lock[HEAP_SHARED]);
    atomic {
        heap_slabs_adopt(heap);
        kind[heap] = KIND_POOLED;
        heap_lock[HEAP_SHARED] = 0;
        heap_lock[heap] = 0
    }
}

/* step: pool_lock_at_rest */
inline pool_lock_at_rest() {
#ifdef MUTATION_NO_WAIT_AT_REST
    acquire(heap_lock[heap])
#else
    atomic { !heap_lock[heap] && purging_slabs[heap] == 0 -> heap_lock[heap] = 1 }
#endif
}

/* step: pool_take */
inline next_thread_begins() {
    pool_lock_at_rest();
    atomic {
        kind[heap] = KIND_THREAD;
        heap_lock[heap] = 0
    }
}

/* step: share_if_idle
 * The other thread's heap. */
inline share_other_heap() {
    acquire(heap_lock[1 - heap]);
    if
    :: kind[1 - heap] == KIND_THREAD ->
        acquire(heap_lock[HEAP_SHARED]);
        atomic { heap_slabs_adopt(1 - heap); heap_lock[HEAP_SHARED] = 0 }
    :: else
    fi;
    release(heap_lock[1 - heap])
}

#ifdef PRIVATE
/* step: private_heap_destroy, heap_slabs_take_all, superslab_slab_discard
 * The heap's blocks go with it. */
inline destroy_private_heap() {
    pool_lock_at_rest();
    atomic {
        detached_count++;
        other = 0;
        do
        :: other < SLABS ->
            taken[other] = (slab_owner[other] == heap && (is_listed[other] || tls_slab[heap] == other));
            if :: taken[other] -> heap_slab_remove(heap, other); is_queued[other] = 0 :: else fi;
            if :: slab_owner[other] == heap -> live[other] = 0 :: else fi;
            other++
        :: else -> break
        od;
        other = 0;
        kind[heap] = KIND_POOLED;
        heap_lock[heap] = 0
    }
    do
    :: slab < SLABS ->
        if
        :: taken[slab] ->
            acquire(supply_lock);
            atomic {
                used[slab] = 0;
                unbacked[slab] = BOTH_BLOCKS;
                supply_lock = 0
            }
            superslab_slab_return(slab);
            taken[slab] = 0
        :: else
        fi;
        slab++
    :: else -> break
    od;
    slab = 0;
    atomic { acquire(supply_lock); detached_count--; supply_lock = 0 }
}
#endif

/* Any block that a caller holds; of a private heap's only that heap's own. */
#define MAY_FREE(number) \
    (slab_owner[number] >= THREADS || kind[slab_owner[number]] != KIND_PRIVATE || slab_owner[number] == heap)
#define GIVE_UP(number, which) \
    atomic { \
        kind[heap] != KIND_POOLED && (live[number] & which) != 0 && MAY_FREE(number) -> \
        live[number] = WITHOUT(live[number], which); \
        slab = number; block = which \
    }

proctype thread(byte heap) {
    byte operations, slab, block, other, owner;
#ifdef PRIVATE
    bit taken[SLABS];
#endif
    do
    :: operations < OPERATIONS ->
        operations++;
        if
        :: kind[heap] != KIND_POOLED -> take_block()
        :: GIVE_UP(0, 1) return_block()
        :: GIVE_UP(0, 2) return_block()
#if SLABS == 2
        :: GIVE_UP(1, 1) return_block()
#endif
        :: kind[heap] == KIND_THREAD -> share_other_heap()
        :: kind[heap] == KIND_THREAD -> thread_ends()
        :: kind[heap] == KIND_POOLED -> next_thread_begins()
#ifdef PRIVATE
        :: kind[heap] == KIND_PRIVATE -> destroy_private_heap()
#endif
        fi;
        atomic { slab = 0; block = 0; other = 0; owner = 0 }
    :: else -> break
    od;
    ended++
}

#include "purge_purger.pml"

/* ---- End and start ---- */

proctype end_state() {
    byte slab;
    atomic {
        ended == THREADS + PURGERS;
        assert(!heap_lock[0] && !heap_lock[1] && !heap_lock[HEAP_SHARED] && !supply_lock);
        assert(detached_count == 0 && purging_slabs[0] + purging_slabs[1] + purging_slabs[HEAP_SHARED] == 0);
        do
        :: slab < SLABS ->
            assert(!is_purging_slab[slab]);
            if
            :: slab_owner[slab] == NO_HEAP ->
                assert(live[slab] == 0 && !is_listed[slab] && !is_queued[slab] && is_free[slab] == is_mapped)
            :: else ->
                assert(used[slab] != 0 && used[slab] == live[slab] && purging_pages[slab] == 0);
                assert(!is_free[slab] && is_mapped);
                assert(kind[slab_owner[slab]] != KIND_POOLED);
                assert(is_listed[slab] != (tls_slab[slab_owner[slab]] == slab));
                assert(is_queued[slab] == (FREE_BACKED(slab) != 0))
            fi;
            slab++
        :: else -> break
        od
    }
}

init {
    byte at;
    atomic {
        do
        :: at < SLABS -> slab_owner[at] = NO_HEAP; unbacked[at] = BOTH_BLOCKS; at++
        :: else -> break
        od;
        at = 0;
        do :: at < HEAPS -> tls_slab[at] = NO_SLAB; kind[at] = KIND_THREAD; at++ :: else -> break od;
        kind[HEAP_SHARED] = KIND_SHARED;
        /* The first slab: a full one of the first thread. */
        is_mapped = 1;
        slab_owner[0] = 0; tls_slab[0] = 0; used[0] = BOTH_BLOCKS; live[0] = BOTH_BLOCKS; unbacked[0] = 0;
#if SLABS == 2
        is_free[1] = 1;
#endif
#ifdef PRIVATE
        kind[0] = KIND_PRIVATE;
#endif
        at = 0;
        run thread(0);
        run thread(1);
        do :: at < PURGERS -> run purger(); at++ :: else -> break od;
        run end_state()
    }
}
