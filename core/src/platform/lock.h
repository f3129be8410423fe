/*
 * platform/lock.h - the locks of the core, and their order.
 *
 * Layer: platform. Not recursive. Thread rule: any thread; the one that locks unlocks. Errno is kept.
 */
#ifndef HAK_PLATFORM_LOCK_H
#define HAK_PLATFORM_LOCK_H

#include "base/base.h"

/* The lock order: a thread takes locks by rising rank only. Asserted in builds with debug checks. */
typedef enum LockRank {
    LOCK_RANK_START,
    LOCK_RANK_HELPER,
    LOCK_RANK_HEAP_LIST,
    LOCK_RANK_HEAP, /* one at a time; fork takes all, in list order */
    LOCK_RANK_SHARED_HEAP,
    LOCK_RANK_SUPPLY,
    LOCK_RANK_METADATA
} LockRank;

typedef struct os_lock {
    _Atomic uint32_t state; /* 0 unlocked, 1 locked, 2 locked and somebody sleeps */
    LockRank rank;
} os_lock_t;

/* Each thread checks itself; an assertion fails where the order is broken. */
#if HAK_DEBUG_CHECKS
void os_lock_order_enter(const os_lock_t *lock);
void os_lock_order_leave(const os_lock_t *lock);
void os_lock_order_suspend(bool is_suspended); /* for the calling thread, around fork */
#else
#define os_lock_order_enter(lock) ((void)0)
#define os_lock_order_leave(lock) ((void)0)
#define os_lock_order_suspend(is_suspended) ((void)0)
#endif

void os_lock_slow(os_lock_t *lock);
void os_unlock_slow(os_lock_t *lock);

HAK_INLINE bool os_trylock(os_lock_t *lock) {
    uint32_t unlocked = 0;
    /* acquire; pairs with the release in os_unlock */
    return atomic_compare_exchange_strong_explicit(&lock->state, &unlocked, 1, memory_order_acquire,
                                                   memory_order_relaxed);
}

HAK_INLINE void os_lock(os_lock_t *lock) {
    os_lock_order_enter(lock);
    if (HAK_UNLIKELY(!os_trylock(lock))) os_lock_slow(lock);
}

HAK_INLINE void os_unlock(os_lock_t *lock) {
    os_lock_order_leave(lock);
    /* release; pairs with the acquire in os_trylock and os_lock_slow */
    if (HAK_UNLIKELY(atomic_exchange_explicit(&lock->state, 0, memory_order_release) == 2)) os_unlock_slow(lock);
}

#endif
