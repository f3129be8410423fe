/*
 * platform/lock.h - the core's locks, 8 bytes each, and their order.
 *
 * Layer: platform. Not recursive. Thread rule: any thread; the thread that acquires a lock releases it. A forked
 * child may release the locks that its parent's thread held. Errno is kept.
 */
#ifndef HAK_PLATFORM_LOCK_H
#define HAK_PLATFORM_LOCK_H

#include "base/base.h"

/* A thread acquires locks in order of rising rank, never two of one rank. Asserted in builds with
 * HAKMEM_DEBUG_CHECKS. */
typedef enum LockRank {
    LOCK_RANK_START,
    LOCK_RANK_HELPER,
    LOCK_RANK_HEAP_LIST,
    LOCK_RANK_HEAP, /* heap_lock_all, for a fork or a check, takes all in list order */
    LOCK_RANK_SHARED_HEAP,
    LOCK_RANK_SUPPLY,
    LOCK_RANK_METADATA
} LockRank;

typedef struct Lock {
    _Atomic uint32_t state; /* 0: free. 1: held. 2: held, and threads may sleep on it */
    LockRank rank;
} Lock;

/* Record the calling thread's locks and assert their order. */
#if HAK_DEBUG_CHECKS
void lock_order_enter(const Lock *lock);
void lock_order_leave(const Lock *lock);
void lock_order_suspend(bool is_suspended); /* in the calling thread, for heap_lock_all: many locks of one rank */
#else
#define lock_order_enter(lock) ((void)0)
#define lock_order_leave(lock) ((void)0)
#define lock_order_suspend(is_suspended) ((void)0)
#endif

/* How much the calling thread has in hand: locks, and what it has taken out of the state without one. A fork in a
 * signal handler that interrupts it must wait for none of that (lifecycle/start.c). */
extern _Thread_local _Atomic uint64_t lock_hands_count HAK_TLS_MODEL;

HAK_INLINE void lock_hand_fills(void) {
    ADD_RELAXED(lock_hands_count, 1);
    COMPILER_BARRIER();
}

HAK_INLINE void lock_hand_empties(void) {
    COMPILER_BARRIER();
    ADD_RELAXED(lock_hands_count, -1);
}

HAK_INLINE bool lock_is_hand_empty(void) { return LOAD_RELAXED(lock_hands_count) == 0; }

/* The calling thread holds all locks (lifecycle/freeze.c): what it does meanwhile takes and releases none. The hooks of
 * others come between the core's and the fork itself, and may allocate. */
extern _Thread_local bool lock_holds_all HAK_TLS_MODEL;

/* Unlocks, whoever holds it: for a child whose holder is a thread that it does not have. Wakes all who wait. */
void lock_reset(Lock *lock);

void lock_acquire_slow(Lock *lock);
void lock_release_slow(Lock *lock);

HAK_INLINE bool lock_try_acquire(Lock *lock) {
    uint32_t unlocked = 0;
    /* acquire; pairs with the release in lock_release */
    return atomic_compare_exchange_strong_explicit(&lock->state, &unlocked, 1, memory_order_acquire,
                                                   memory_order_relaxed);
}

HAK_INLINE void lock_acquire(Lock *lock) {
    lock_hand_fills();
    lock_order_enter(lock);
    if (HAK_UNLIKELY(!lock_try_acquire(lock))) lock_acquire_slow(lock);
}

HAK_INLINE void lock_release(Lock *lock) {
    lock_order_leave(lock);
    /* release; pairs with the acquire in lock_try_acquire and lock_acquire_slow */
    if (HAK_LIKELY(!lock_holds_all) &&
        HAK_UNLIKELY(atomic_exchange_explicit(&lock->state, 0, memory_order_release) == 2))
        lock_release_slow(lock);
    lock_hand_empties();
}

#endif
