/*
 * platform/lock.c - waiting for a lock (a short spin, then sleep), and the check of the lock order.
 *
 * Layer: platform. Thread rule: see lock.h.
 */
#include "platform/lock.h"

#include "platform/message.h"
#include "platform/os.h"

static void cpu_pause(void) {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

void lock_acquire_slow(Lock *lock) {
    enum { SPIN_COUNT = 100 }; /* a critical section takes less than 1 us, a sleep 10 us */
    if (lock_holds_all) return;
    for (int spin = 0; spin < SPIN_COUNT; spin++) {
        if (LOAD_RELAXED(lock->state) == 0 && lock_try_acquire(lock)) return;
        cpu_pause();
    }
    /* acquire; pairs with the release in lock_release */
    while (atomic_exchange_explicit(&lock->state, 2, memory_order_acquire) != 0) os_wait(&lock->state, 2);
}

void lock_release_slow(Lock *lock) { os_wake_one(&lock->state); }

void lock_reset(Lock *lock) {
    atomic_store_explicit(&lock->state, 0, memory_order_release);
    os_wake(&lock->state);
}

_Thread_local _Atomic uint64_t lock_hands_count HAK_TLS_MODEL;
_Thread_local bool lock_holds_all HAK_TLS_MODEL;

/* ---- The order ---- */

#if HAK_DEBUG_CHECKS

static _Thread_local unsigned held_ranks HAK_TLS_MODEL; /* bit n: a lock of rank n is held */
static _Thread_local bool is_order_suspended HAK_TLS_MODEL;

void lock_order_enter(const Lock *lock) {
    if (is_order_suspended) return;
    HAK_ASSERT_OP(held_ranks >> lock->rank, ==, 0);
    held_ranks |= 1u << lock->rank;
}

void lock_order_leave(const Lock *lock) {
    if (!is_order_suspended) held_ranks &= ~(1u << lock->rank);
}

void lock_order_suspend(bool is_suspended) { is_order_suspended = is_suspended; }

#endif
