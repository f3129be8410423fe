/*
 * retention/burst.c - the burst bound: tells the learner what the process does, and publishes what it answers.
 *
 * Layer: retention. Thread rule: see burst.h.
 */
#include "retention/burst.h"

#include "heap/heap_all.h"
#include "heap/heap_slabs.h"
#include "learning/burst_learner.h"
#include "platform/option.h"
#include "platform/os.h"

static BurstLearner learner;         /* of who has set is_in_use, and so is */
static BurstSight sight;             /* what it is told: no part of a thread's stack */
static _Atomic bool is_in_use;       /* a signal handler, too, finds it set and goes on without */
static uint64_t pressure_seen_at_ms; /* the helper's */

/* As the learner said last; read by any thread. */
static _Atomic int64_t level_bytes, limit_bytes;
static _Atomic uint64_t regret_bytes, tried, kept, taken_back;
static _Atomic uint64_t told_at_ms; /* when the learner was told something last */

static _Atomic uint64_t purged_bytes;
_Atomic int64_t burst_least_free_bytes;
_Atomic uint64_t burst_poll_at_touched_bytes = UINT64_MAX;

void burst_note_purged(size_t bytes) { atomic_fetch_add_explicit(&purged_bytes, bytes, memory_order_relaxed); }

/* ---- The bound ---- */

static bool is_window(void) { return (option_value(OPTION_LEARN) & OPTION_LEARN_WINDOW) != 0; }

/* A value that the user has set is not learned. Without a delay, and without a helper, there is no burst bound. */
static bool is_learned(void) {
    int64_t learners = option_value(OPTION_LEARN);
    bool is_wanted = (learners & (OPTION_LEARN_ALL | OPTION_LEARN_BURST | OPTION_LEARN_WINDOW)) != 0 &&
                     (learners & OPTION_LEARN_NOTHING) == 0;
    return is_wanted && !LOAD_RELAXED(option_is_set[OPTION_RETAIN_BURST_BYTES]) &&
           !LOAD_RELAXED(option_is_set[OPTION_RETAIN_BURST_PERCENT]) && option_value(OPTION_PURGE_DELAY_MS) != 0 &&
           !os_calls_are_plain;
}

static int64_t used_bytes_with_large(int64_t used_bytes) { return used_bytes + (int64_t)superslab_large_bytes(); }

Bound burst_bound(int64_t used_bytes) {
    Bound fixed = bounds_burst_fixed(used_bytes);
    int64_t level = LOAD_RELAXED(level_bytes);
    if (level <= fixed.bytes || !is_learned()) return fixed;
    int64_t room_bytes = LOAD_RELAXED(limit_bytes) - used_bytes_with_large(used_bytes);
    Bound learned = {level < room_bytes ? level : room_bytes, 0};
    return learned.bytes > fixed.bytes ? learned : fixed;
}

/* ---- The learner ---- */

static bool learner_take(void) { return !atomic_exchange_explicit(&is_in_use, true, memory_order_acquire); }

/* From so many bytes that were touched first, the process may have more than the limit, if it has a level. */
static uint64_t poll_at_touched_bytes(int64_t limit) {
    if (learner.level_bytes == 0) return UINT64_MAX;
    int64_t left_bytes = limit - learner.last.used_bytes - learner.last.free_bytes, least = bounds_least_step_bytes();
    return learner.last.touched_bytes + (uint64_t)(left_bytes > least ? left_bytes : least);
}

/* release; pairs with the acquire in learner_take */
static void learner_give(void) {
    int64_t limit = burst_learner_limit_bytes(&learner);
    STORE_RELAXED(level_bytes, learner.level_bytes);
    STORE_RELAXED(limit_bytes, limit);
    STORE_RELAXED(burst_poll_at_touched_bytes, poll_at_touched_bytes(limit));
    STORE_RELAXED(regret_bytes, learner.regret_bytes);
    STORE_RELAXED(tried, learner.tried);
    STORE_RELAXED(kept, learner.kept);
    STORE_RELAXED(taken_back, learner.taken_back);
    STORE_RELAXED(told_at_ms, learner.last.now_ms);
    atomic_store_explicit(&is_in_use, false, memory_order_release);
}

/* Keeps the former figure if the kernel has no memory for it. */
static void measure_first_touch(void) {
    uint64_t touch_ns_per_mib = os_touch_ns_per_mib();
    if (touch_ns_per_mib != 0) sight.touch_ns_per_mib = touch_ns_per_mib;
}

void burst_see(int64_t used_bytes) {
    if (!is_learned()) STORE_RELAXED(burst_poll_at_touched_bytes, UINT64_MAX);
    if (!is_learned() || !learner_take()) return;
    uint64_t tried_before = learner.tried;
    sight.is_window = is_window();
    sight.now_ms = os_now_ms();
    sight.used_bytes = used_bytes_with_large(used_bytes);
    sight.cacheable_bytes = LOAD_RELAXED(magazine_capacity_bytes);
    sight.free_bytes = LOAD_RELAXED(backed_free_bytes);
    sight.least_free_bytes = LOAD_RELAXED(burst_least_free_bytes);
    STORE_RELAXED(burst_least_free_bytes, INT64_MAX);
    sight.fixed_bytes = bounds_burst_fixed(used_bytes).bytes;
    sight.delay_ms = (uint64_t)option_value(OPTION_PURGE_DELAY_MS);
    sight.poll_ms = bounds_helper_poll_ms((uint32_t)sight.delay_ms);
    sight.purged_bytes = LOAD_RELAXED(purged_bytes);
    sight.gone_bytes = superslab_purged_bytes() - superslab_discarded_bytes() + heap_slabs_purged_bytes();
    sight.touched_bytes = LOAD_RELAXED(first_touched_bytes);
    burst_learner_see(&learner, &sight);
    if (learner.tried != tried_before) measure_first_touch(); /* before it is judged */
    learner_give();
}

void burst_look_at_pressure(void) {
    enum { INTERVAL_MS = 1000 };
    uint64_t now_ms = os_now_ms();
    if (!is_learned() || LOAD_RELAXED(level_bytes) == 0 || now_ms - pressure_seen_at_ms < INTERVAL_MS) return;
    pressure_seen_at_ms = now_ms;
    if (!os_memory_is_short(burst_bound(heap_used_bytes_all()).bytes) || !learner_take()) return;
    burst_learner_yield(&learner);
    learner_give();
}

void burst_inherit(void) {
    if (!atomic_load_explicit(&is_in_use, memory_order_relaxed)) return;
    learner = (BurstLearner){0};
    learner_give();
}

/* Where nobody has looked for as long as a demand counts, the next look begins with none. */
static Bound bound_of_now(void) {
    int64_t used_bytes = heap_used_bytes_all();
    bool is_old = os_now_ms() > LOAD_RELAXED(told_at_ms) + BURST_BUCKETS * BURST_BUCKET_MS;
    return is_old ? bounds_burst_fixed(used_bytes) : burst_bound(used_bytes);
}

BurstFigures burst_figures(void) {
    return (BurstFigures){.bound_bytes = (uint64_t)bound_of_now().bytes,
                          .regret_bytes = LOAD_RELAXED(regret_bytes),
                          .tried = LOAD_RELAXED(tried),
                          .kept = LOAD_RELAXED(kept),
                          .taken_back = LOAD_RELAXED(taken_back)};
}
