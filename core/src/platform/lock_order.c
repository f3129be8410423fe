/*
 * platform/lock_order.c - asserts that locks are taken by rising rank.
 *
 * Layer: platform. Compiled in with debug checks only. Thread rule: each thread looks at itself.
 */
#include "platform/message.h"
#include "platform/os.h"

#if HAK_DEBUG_CHECKS

static _Thread_local unsigned held_ranks; /* bit n: a lock of rank n is held */
static _Thread_local bool is_order_suspended;

void os_lock_order_enter(const os_lock_t *lock) {
    if (is_order_suspended) return;
    HAK_ASSERT_OP(held_ranks >> lock->rank, ==, 0);
    held_ranks |= 1u << lock->rank;
}

void os_lock_order_leave(const os_lock_t *lock) {
    if (!is_order_suspended) held_ranks &= ~(1u << lock->rank);
}

void os_lock_order_suspend(bool is_suspended) { is_order_suspended = is_suspended; }

#endif
