/*
 * retention/helper.c - the helper: a thread that keeps the idle bound while nobody calls the allocator.
 *
 * Layer: retention. Thread rule: one helper at most. It blocks all signals, holds no lock while it sleeps, and ends
 * when nothing is left that it can give back. While the kernel works it holds none either, with three exceptions:
 * reclaim issues its barrier under heap_list_lock, tails of large blocks go under the supply lock, and a slab that a
 * purge finds empty may take its SuperSlab along under the heap lock.
 *
 * States: absent -helper_wake-> running -within the idle bound-> finished -helper_wake-> running;
 *         running -the kernel refuses what is left-> futile -helper_wake, FUTILE_RETRY_MS later-> running;
 *         running, finished or futile -helper_stop-> forbidden -ended-> absent;
 *         absent -the OS refuses a thread-> broken -fork, or a helper_wake BROKEN_RETRY_MS later-> absent.
 */
#include "retention/helper.h"

#include "cache/reclaim.h"
#include "platform/option.h"
#include "retention/bounds.h"
#include "retention/burst.h"
#include "retention/helper_state.h"
#include "retention/inherited.h"
#include "retention/purge.h"

static uint32_t helper_tried_ms;        /* under helper_lock: when it was last started, or ended as futile */
static uint32_t quiesce_count;          /* under helper_lock: of helper_quiesce_begin without its end */
static _Atomic uint32_t helper_signals; /* the word it sleeps on */

/* Caches count: the helper takes them as soon as their threads are idle, so until then it has something to wait for. */
static bool is_within_idle_bound(void) { return bounds_free_and_cached_bytes() <= bounds_idle_bytes(); }

/* Free bytes alone exceed the idle bound. */
static bool exceeds_without_caches(void) { return atomic_load(&backed_free_bytes) > bounds_idle_bytes(); }

/* Polls in a row that gave nothing back of what exceeds the idle bound, and in which no free byte came or went. */
typedef struct FutilePolls {
    unsigned count;
    int64_t free_bytes;
    uint64_t refused_before;
} FutilePolls;

enum { FUTILE_POLLS_MAX = 4 * POLLS_PER_DELAY };

/* A purge that was refused in the row says that the kernel refuses all of it: a purge stops at the first refusal. If
 * there was none, the program uses its free memory again and again, and no OS page of it grows old. */
static bool kernel_refuses_rest(FutilePolls *polls, bool is_in_row) {
    int64_t free_bytes = atomic_load(&backed_free_bytes);
    uint64_t refused = LOAD_RELAXED(os_purges_refused);
    if (!is_in_row || free_bytes != polls->free_bytes || polls->count == FUTILE_POLLS_MAX)
        *polls = (FutilePolls){0, free_bytes, refused};
    return is_in_row && ++polls->count == FUTILE_POLLS_MAX && refused != polls->refused_before;
}

/* Once free bytes have exceeded the idle bound, gives back all OS pages that are old enough, not just those above the
 * bound: they were not missed for a whole delay. True: it ended because the kernel refuses what is left (mlockall). */
static bool helper_run(void) {
    unsigned idle_polls = 0;
    FutilePolls futile_polls = {0, -1, 0};
    bool has_exceeded = false; /* not if it was woken for caches alone */
    while (idle_polls < POLLS_PER_DELAY) {
        uint32_t signals = atomic_load(&helper_signals); /* before the values that a signal is about */
        if (atomic_load(&helper_stopping) != 0) return false;
        uint32_t delay_ms = (uint32_t)option_value(OPTION_PURGE_DELAY_MS);
        uint32_t poll_ms = bounds_helper_poll_ms(delay_ms);
        os_wait_ms(&helper_signals, signals, poll_ms);
        if (atomic_load(&helper_stopping) != 0) return false;
        reclaim_others(true);
        bool is_idle = purge_to_burst_bound() == 0; /* many threads' caches may have become free just now */
        has_exceeded = has_exceeded || exceeds_without_caches();
        size_t aged_bytes = has_exceeded ? purge_run(delay_ms > poll_ms ? delay_ms - poll_ms : 0, 0, SIZE_MAX) : 0;
        is_idle &= aged_bytes == 0;
        burst_look_at_pressure();
        bool was_signalled = atomic_load(&helper_signals) != signals; /* too early to count as idle or futile */
        idle_polls = is_idle && is_within_idle_bound() && !was_signalled ? idle_polls + 1 : 0;
        if (kernel_refuses_rest(&futile_polls, is_idle && exceeds_without_caches() && !was_signalled)) return true;
    }
    return false;
}

static void helper_main(void) {
    for (;;) {
        bool is_futile = helper_run();
        lock_acquire(&helper_lock); /* a wake-up finds a helper that polls again, or one that has ended */
        /* Before the look: what is freed after it finds this. Who stops the helper does it itself. */
        if (helper_state == HELPER_RUNNING) bounds_poll_next_time();
        bool is_done = is_futile || is_within_idle_bound() || atomic_load(&helper_stopping) != 0;
        if (is_done && helper_state == HELPER_RUNNING) {
            helper_state = is_futile ? HELPER_FUTILE : HELPER_FINISHED;
            helper_tried_ms = (uint32_t)os_now_ms();
        }
        lock_release(&helper_lock);
        if (is_done) return;
    }
}

/* Where hakmem is the C library's malloc, making a thread comes back here: the C library allocates for it. So the lock
 * is released meanwhile, and the state is that of a helper that runs. */
static void start(uint32_t now_ms) {
    bool has_older = helper_state == HELPER_FINISHED || helper_state == HELPER_FUTILE;
    atomic_store(&helper_stopping, 0);
    helper_tried_ms = now_ms;
    helper_state = HELPER_RUNNING;
    helper_is_being_made = true;
    lock_hand_fills();
    lock_release(&helper_lock);
    if (has_older) os_helper_await_gone(); /* a stop awaits one thread alone */
    bool is_made = os_helper_start(helper_main) == 0;
    lock_acquire(&helper_lock);
    lock_hand_empties();
    helper_is_being_made = false;
    if (!is_made) helper_state = HELPER_BROKEN;
}

/* A futile helper counts as woken: a purge by the caller would be as futile. One that has ended before the thread that
 * makes it came back cannot be replaced yet, so the caller gives back. So does a guest in the memory of another
 * process: a helper that it started would end with it, at any moment. And so does a thread that forks. */
bool helper_wake(void) {
    enum { BROKEN_RETRY_MS = 1000, FUTILE_RETRY_MS = 30000 };
    inherited_put_right();
    if (os_process_is_guest() || lock_holds_all) return false;
    lock_acquire(&helper_lock);
    uint32_t now_ms = (uint32_t)os_now_ms();
    bool is_to_retry = (helper_state == HELPER_BROKEN && os_has_aged(now_ms, helper_tried_ms, BROKEN_RETRY_MS)) ||
                       (helper_state == HELPER_FUTILE && os_has_aged(now_ms, helper_tried_ms, FUTILE_RETRY_MS));
    bool is_to_replace = !helper_is_being_made && (helper_state == HELPER_FINISHED || is_to_retry);
    if ((is_to_replace || helper_state == HELPER_ABSENT) && quiesce_count == 0) start(now_ms);
    bool is_kept = helper_state == HELPER_RUNNING || helper_state == HELPER_FUTILE;
    lock_release(&helper_lock);
    return is_kept;
}

void helper_poll_now(void) {
    atomic_fetch_add(&helper_signals, 1);
    os_wake(&helper_signals);
}

/* The helper's last act takes the lock, so its end is awaited without the lock. */
void helper_stop(void) {
    for (;;) {
        inherited_put_right(); /* in each turn: a signal handler may make a copy of the process meanwhile */
        lock_acquire(&helper_lock);
        bool is_awaited = !helper_is_being_made && (helper_state == HELPER_RUNNING || helper_state == HELPER_FINISHED ||
                                                    helper_state == HELPER_FUTILE);
        if (!is_awaited && !helper_is_being_made && helper_state != HELPER_FORBIDDEN) return;
        if (is_awaited) helper_state = HELPER_FORBIDDEN;
        if (is_awaited) lock_hand_fills(); /* until the lock is held again */
        if (!helper_is_being_made) atomic_store(&helper_stopping, 1);
        lock_release(&helper_lock);
        if (!is_awaited) { /* another thread is making it, or forks and waits for its end */
            os_sleep_ms(1);
            continue;
        }
        helper_poll_now();
        os_helper_await_gone();
        bool is_parents = os_process_is_copy();
        if (!is_parents) lock_acquire(&helper_lock);
        lock_hand_empties();
        if (is_parents) continue;
        helper_state = HELPER_ABSENT;
        return;
    }
}

void helper_allow(void) {
    if (helper_state == HELPER_BROKEN) helper_state = HELPER_ABSENT;
    lock_release(&helper_lock);
    bounds_poll_next_time();
}

void helper_quiesce_begin(void) {
    helper_stop();
    quiesce_count++;
    lock_release(&helper_lock);
    bounds_poll_next_time(); /* the last poll may have left all up to the burst bound to the helper */
}

bool helper_quiesce_end(void) {
    lock_acquire(&helper_lock);
    bool has_begun = quiesce_count > 0;
    if (has_begun) quiesce_count--;
    lock_release(&helper_lock);
    bounds_poll_next_time();
    return has_begun;
}
