/*
 * retention/bounds.c - the two retain bounds, and when free memory is next compared with them.
 *
 * Layer: retention. Arithmetic alone: gives nothing back. Thread rule: any thread, no lock.
 */
#include "retention/bounds.h"

#include "heap/heap_all.h"
#include "platform/option.h"
#include "platform/os.h"

_Atomic int64_t bounds_poll_at_free_bytes, bounds_poll_at_cached_bytes;
_Atomic int64_t bounds_poll_at_reported_bytes, bounds_report_portion_bytes;

static int64_t bounded_sum(int64_t one, int64_t other) {
    return one > BOUND_BYTES_MAX - other ? BOUND_BYTES_MAX : one + other;
}

static Bound bound_of(int64_t fixed_bytes, int64_t percent, int64_t used_bytes) {
    int64_t share_bytes = used_bytes / 100 * percent;
    return (Bound){bounded_sum(fixed_bytes, share_bytes), percent};
}

static Bound larger(Bound one, Bound other) { return one.bytes > other.bytes ? one : other; }

Bound bounds_idle(int64_t used_bytes) {
    return bound_of(option_value(OPTION_RETAIN_BYTES), option_value(OPTION_RETAIN_PERCENT), used_bytes);
}

Bound bounds_burst_fixed(int64_t used_bytes) {
    Bound fixed = bound_of(option_value(OPTION_RETAIN_BURST_BYTES), 0, used_bytes);
    Bound share = bound_of(0, option_value(OPTION_RETAIN_BURST_PERCENT), used_bytes);
    return larger(larger(share, fixed), bounds_idle(used_bytes));
}

Bound bounds_helper(int64_t used_bytes) {
    Bound bound = bounds_idle(used_bytes);
    int64_t more_bytes = option_value(OPTION_FIRST_THREAD_BYTES);
    if (more_bytes != 0 && option_value(OPTION_PURGE_DELAY_MS) != 0 && os_has_one_thread_ever())
        bound.bytes = bounded_sum(bound.bytes, more_bytes);
    return bound;
}

int64_t bounds_helper_bytes(void) { return bounds_helper(heap_used_bytes_all()).bytes; }
int64_t bounds_idle_bytes(void) { return bounds_idle(heap_used_bytes_all()).bytes; }

enum { BYTES_PER_HEAP = 16 << 10 };

int64_t bounds_least_step_bytes(void) { return PURGE_STEP_BYTES + (LOAD_RELAXED(heap_count) + 1) * BYTES_PER_HEAP; }

/* Returning x bytes raises the free bytes by at most x and lowers the bound, fixed + percent of used bytes, by
 * percent * x / 100. They meet at
 *
 *     x = (bound - free) / (1 + percent / 100)
 *
 * so the next poll is due after x bytes, counted as free or as reported. The fewer are left, the more often: within
 * PURGE_STEP_BYTES of the bound it is due at the bound itself. */
void bounds_set_next_poll(Bound bound) {
    enum { PORTION_BYTES_MAX = 256 << 10 };
    int64_t least_bytes = bounds_least_step_bytes();
    int64_t portion_bytes = BYTES_PER_HEAP + PURGE_STEP_BYTES / (LOAD_RELAXED(heap_count) + 1);
    int64_t free_bytes = LOAD_RELAXED(backed_free_bytes), left_bytes = bound.bytes - free_bytes;
    int64_t meeting_bytes = left_bytes / (100 + bound.percent) * 100;
    bool is_near = left_bytes <= PURGE_STEP_BYTES;
    atomic_store(&bounds_poll_at_free_bytes, is_near ? bound.bytes : free_bytes + meeting_bytes);
    STORE_RELAXED(bounds_poll_at_reported_bytes, meeting_bytes > least_bytes ? meeting_bytes : least_bytes);
    STORE_RELAXED(bounds_report_portion_bytes, portion_bytes < PORTION_BYTES_MAX ? portion_bytes : PORTION_BYTES_MAX);
}
