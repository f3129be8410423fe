/*
 * retention/helper.c - the helper thread: gives old free OS pages back while nobody calls the allocator.
 *
 * Layer: retention. Thread rule: one helper at most; it blocks all signals, holds no lock while it sleeps or while the
 * kernel works, and lives only as long as there is something to give back.
 *
 * States: absent -helper_wake-> running -nothing left-> finished -helper_wake-> running; running or finished
 *         -helper_fork_prepare-> forbidden -ended-> absent;
 *         absent -the OS gives no thread-> broken -fork, or a helper_wake after RETRY_MS-> absent.
 */
#include "retention/helper.h"

#include "cache/reclaim.h"
#include "platform/option.h"
#include "retention/bounds.h"
#include "retention/purge.h"

typedef enum HelperState { HELPER_ABSENT, HELPER_RUNNING, HELPER_FINISHED, HELPER_FORBIDDEN, HELPER_BROKEN } HelperState;

static Lock helper_lock = {.rank = LOCK_RANK_HELPER};
static HelperState helper_state;        /* under helper_lock */
static uint32_t helper_tried_ms;        /* under helper_lock: when the OS was last asked for a thread */
static _Atomic uint32_t helper_stopping;
static _Atomic uint32_t helper_signals; /* what it sleeps on */

/* Looks four times a delay: an OS page outlives the bound by a quarter of it at most. What is old goes altogether, not
 * just down to the bound: it has not been missed for that long. */
enum { LOOKS_PER_DELAY = 4 };

/* With the caches, which it can take as soon as their threads are idle: until then it has something to wait for. */
static bool is_within_bound(void) { return purge_free_and_cached_bytes() <= purge_old_bound_bytes(); }

static void helper_run(void) {
    unsigned looks_in_vain = 0;
    bool is_purging = false; /* not when it is caches alone that it was woken for */
    while (looks_in_vain < LOOKS_PER_DELAY) {
        uint32_t signals = atomic_load(&helper_signals); /* before what they are about */
        if (atomic_load(&helper_stopping) != 0) return;
        uint32_t delay_ms = (uint32_t)option_value(OPTION_PURGE_DELAY_MS);
        uint32_t look_ms = delay_ms / LOOKS_PER_DELAY + 1;
        os_wait_ms(&helper_signals, signals, look_ms);
        if (atomic_load(&helper_stopping) != 0) return;
        heap_reclaim_others(true);
        bool is_in_vain = purge_to_young_bound() == 0; /* the caches of many threads may have become free just now */
        is_purging = is_purging || LOAD_RELAXED(backed_free_bytes) > purge_old_bound_bytes();
        if (is_purging) is_in_vain &= purge_run(delay_ms > look_ms ? delay_ms - look_ms : 0, 0, SIZE_MAX) == 0;
        bool was_signalled = atomic_load(&helper_signals) != signals; /* too early for what is not old enough yet */
        looks_in_vain = is_in_vain && is_within_bound() && !was_signalled ? looks_in_vain + 1 : 0;
    }
}

static void helper_main(void) {
    for (;;) {
        helper_run();
        lock_acquire(&helper_lock); /* so that a wake-up sees either a helper that looks again or one that has finished */
        bool is_done = is_within_bound() || atomic_load(&helper_stopping) != 0;
        if (is_done && helper_state == HELPER_RUNNING) {
            helper_state = HELPER_FINISHED;
            purge_look_again();
        }
        lock_release(&helper_lock);
        if (is_done) return;
    }
}

bool helper_wake(void) {
    enum { RETRY_MS = 1000 };
    lock_acquire(&helper_lock);
    uint32_t now_ms = (uint32_t)os_now_ms();
    if (helper_state == HELPER_FINISHED) {
        os_helper_await_end();
        helper_state = HELPER_ABSENT;
    }
    if (helper_state == HELPER_BROKEN && os_has_aged(now_ms, helper_tried_ms, RETRY_MS))
        helper_state = HELPER_ABSENT;
    if (helper_state == HELPER_ABSENT) {
        atomic_store(&helper_stopping, 0);
        helper_tried_ms = now_ms;
        helper_state = os_helper_start(helper_main) == 0 ? HELPER_RUNNING : HELPER_BROKEN;
    }
    bool is_kept = helper_state == HELPER_RUNNING;
    lock_release(&helper_lock);
    return is_kept;
}

void helper_look_now(void) {
    atomic_fetch_add(&helper_signals, 1);
    os_wake(&helper_signals);
}

/* The helper's last act takes the lock, so it is awaited without. Then the lock is kept until helper_fork_done: the child
 * must not inherit it from a thread that it does not have, and a second fork waits for the first. */
void helper_fork_prepare(void) {
    for (;;) {
        lock_acquire(&helper_lock);
        bool is_awaited = helper_state == HELPER_RUNNING || helper_state == HELPER_FINISHED;
        if (!is_awaited && helper_state != HELPER_FORBIDDEN) return;
        if (is_awaited) helper_state = HELPER_FORBIDDEN;
        atomic_store(&helper_stopping, 1);
        lock_release(&helper_lock);
        if (!is_awaited) { /* another thread that forks is waiting for it */
            os_wait_ms(&helper_stopping, 1, 1);
            continue;
        }
        helper_look_now();
        os_helper_await_gone();
        lock_acquire(&helper_lock);
        helper_state = HELPER_ABSENT;
        return;
    }
}

void helper_fork_done(void) {
    if (helper_state == HELPER_BROKEN) helper_state = HELPER_ABSENT;
    lock_release(&helper_lock);
    purge_look_again();
}
