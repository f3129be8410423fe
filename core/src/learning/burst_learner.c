/*
 * learning/burst_learner.c - learns how much free memory to hold between a drop and the build that comes after it.
 *
 * Layer: learning. Thread rule: see burst_learner.h.
 */
#include "learning/burst_learner.h"

/* What is longer counts as these, so that no sum overflows. */
enum { BURST_PRICE_MS_MAX = 60000, BURST_TOUCH_NS_PER_MIB_MAX = 1 << 24 };

static int64_t larger(int64_t one, int64_t other) { return one > other ? one : other; }
static int64_t smaller(int64_t one, int64_t other) { return one < other ? one : other; }
static int64_t above_zero(int64_t number) { return larger(number, 0); }

/* bytes * number / MiB, for bytes below 2^47, the addresses of a process, and a number below 2^26. */
static int64_t times_mib(int64_t bytes, int64_t number) { return (bytes >> 10) * number >> 10; }

/* ---- The last second ---- */

static void turn_buckets(BurstLearner *learner, uint64_t now_ms) {
    uint64_t bucket = now_ms / BURST_BUCKET_MS;
    if (bucket > learner->bucket + BURST_BUCKETS) learner->bucket = bucket - BURST_BUCKETS;
    while (learner->bucket < bucket) {
        unsigned index = (unsigned)(++learner->bucket % BURST_BUCKETS);
        learner->demand_bytes[index] = learner->regrettable_bytes[index] = 0;
    }
}

/* Nobody looks at the moment of the highest use, since nothing is free then. So the bytes that have become free since
 * the last sight count as used: what is free now, less what was free all the time. */
static void note_demand(BurstLearner *learner, const BurstSight *now, int64_t purged_bytes) {
    int64_t *most_bytes = &learner->demand_bytes[learner->bucket % BURST_BUCKETS];
    int64_t left_bytes = above_zero(learner->last.free_bytes - purged_bytes); /* after the last sight */
    int64_t unused_bytes = smaller(smaller(now->least_free_bytes, left_bytes), now->free_bytes);
    *most_bytes = larger(*most_bytes, now->used_bytes + now->cacheable_bytes + now->free_bytes - unused_bytes);
}

/* Blocks do not fill their OS pages, and each time others: a quarter more, 8 MiB at most. */
int64_t burst_learner_limit_bytes(const BurstLearner *learner) {
    const int64_t more_bytes_max = (int64_t)8 << 20;
    int64_t bytes = 0;
    for (unsigned index = 0; index < BURST_BUCKETS; index++) bytes = larger(bytes, learner->demand_bytes[index]);
    return bytes + smaller(bytes / 4, more_bytes_max);
}

/* The bytes went right after the last sight. */
static void note_purged(BurstLearner *learner, int64_t purged_bytes) {
    uint64_t bucket = learner->last.now_ms / BURST_BUCKET_MS;
    if (learner->bucket - bucket < BURST_BUCKETS) learner->regrettable_bytes[bucket % BURST_BUCKETS] += purged_bytes;
}

/* What was purged would have served what was touched, the newest first; not what would have gone for its age since. */
static void note_touched(BurstLearner *learner, int64_t touched_bytes, uint64_t delay_ms) {
    for (uint64_t age = 0; age < BURST_BUCKETS && age * BURST_BUCKET_MS < delay_ms && touched_bytes > 0; age++) {
        int64_t *bytes = &learner->regrettable_bytes[(learner->bucket - age) % BURST_BUCKETS];
        int64_t regret_bytes = smaller(*bytes, touched_bytes);
        *bytes -= regret_bytes;
        touched_bytes -= regret_bytes;
        learner->untried_regret_bytes += regret_bytes;
        learner->regret_bytes += (uint64_t)regret_bytes;
    }
}

/* ---- Gain and price ---- */

/* In what is longer than a poll nothing was held. */
static int64_t milliseconds_held(const BurstSight *last, const BurstSight *now) {
    int64_t milliseconds = smaller((int64_t)(now->now_ms - last->now_ms), (int64_t)now->poll_ms);
    return smaller(milliseconds, BURST_PRICE_MS_MAX);
}

/* Savings end where a kept level has paid for itself for a second. What another thread is giving back at this moment
 * is among the bytes that are gone, and not yet among those that were purged. */
static void save(BurstLearner *learner, const BurstSight *now, int64_t purged_bytes) {
    if (learner->level_bytes == 0) return;
    const BurstSight *last = &learner->last;
    int64_t otherwise_gone_bytes = above_zero((int64_t)(now->gone_bytes - last->gone_bytes) - purged_bytes);
    int64_t held_bytes = above_zero(last->free_bytes - purged_bytes - last->fixed_bytes);
    int64_t left_bytes = above_zero(now->free_bytes - last->fixed_bytes);
    int64_t milliseconds = milliseconds_held(last, now);
    int64_t touch_ns_per_mib = smaller((int64_t)now->touch_ns_per_mib, BURST_TOUCH_NS_PER_MIB_MAX);
    int64_t least_bytes = smaller(left_bytes, above_zero(now->least_free_bytes - last->fixed_bytes));
    int64_t reused_bytes = above_zero(held_bytes - least_bytes - otherwise_gone_bytes);
    learner->savings_ns += times_mib(reused_bytes, touch_ns_per_mib);
    learner->savings_ns -= times_mib((held_bytes + left_bytes) / 2, milliseconds * BURST_PRICE_NS_PER_MIB_MS);
    int64_t enough_ns = times_mib(learner->level_bytes, 1000 * BURST_PRICE_NS_PER_MIB_MS);
    learner->savings_ns = smaller(learner->savings_ns, enough_ns);
}

/* ---- Decisions ---- */

static void keep(BurstLearner *learner) {
    learner->state = BURST_KEPT;
    learner->kept_level_bytes = learner->level_bytes;
    learner->savings_ns += learner->kept_savings_ns;
    learner->rest_ms = 0;
    learner->kept++;
}

static void forget(BurstLearner *learner) {
    learner->state = BURST_FIXED;
    learner->level_bytes = learner->kept_level_bytes = 0;
    learner->savings_ns = learner->kept_savings_ns = 0;
    learner->untried_regret_bytes = 0;
}

static void take_back_trial(BurstLearner *learner) {
    int64_t level_bytes = learner->kept_level_bytes, savings_ns = learner->kept_savings_ns;
    forget(learner);
    learner->taken_back++;
    if (level_bytes == 0) return;
    learner->state = BURST_KEPT;
    learner->level_bytes = learner->kept_level_bytes = level_bytes;
    learner->savings_ns = savings_ns;
}

static void take_back_all(BurstLearner *learner) {
    forget(learner);
    learner->taken_back++;
}

static void rest(BurstLearner *learner) {
    learner->rest_ms = learner->rest_ms == 0 ? BURST_REST_MS_MIN : learner->rest_ms * 2;
    if (learner->rest_ms > BURST_REST_MS_MAX) learner->rest_ms = BURST_REST_MS_MAX;
    learner->rest_until_ms = learner->last.now_ms + learner->rest_ms;
}

static void judge(BurstLearner *learner) {
    if (learner->state == BURST_KEPT && learner->savings_ns < 0) take_back_all(learner);
    if (learner->state != BURST_TRIED || learner->last.now_ms - learner->trial_since_ms < BURST_TRIAL_MS) return;
    if (learner->savings_ns >= 0) {
        keep(learner);
    } else {
        take_back_trial(learner);
        rest(learner);
    }
}

/* As much more as was missed, where the limit allows it; what is missed during a trial raises it, too. */
static void try_more(BurstLearner *learner) {
    const BurstSight *now = &learner->last;
    if (now->now_ms < learner->rest_until_ms) learner->untried_regret_bytes = 0;
    if (learner->untried_regret_bytes < BURST_REGRET_BYTES_MIN) return;
    int64_t held_bytes = larger(learner->level_bytes, now->fixed_bytes);
    int64_t more_bytes = held_bytes + learner->untried_regret_bytes;
    int64_t level_bytes = smaller(more_bytes, burst_learner_limit_bytes(learner));
    learner->untried_regret_bytes = 0;
    if (level_bytes < held_bytes + BURST_REGRET_BYTES_MIN) return;
    if (learner->state != BURST_TRIED) {
        learner->state = BURST_TRIED;
        learner->trial_since_ms = now->now_ms;
        learner->kept_savings_ns = learner->savings_ns;
        learner->savings_ns = 0;
        learner->tried++;
    }
    learner->level_bytes = level_bytes;
}

static void hold_demand(BurstLearner *learner) {
    forget(learner);
    if (learner->last.now_ms < learner->rest_until_ms) return;
    learner->state = BURST_WINDOW;
    learner->level_bytes = BURST_LEVEL_BYTES_MAX;
}

void burst_learner_see(BurstLearner *learner, const BurstSight *now) {
    int64_t purged_bytes = (int64_t)(now->purged_bytes - learner->last.purged_bytes);
    bool is_first = learner->last.now_ms == 0;
    if (learner->state == BURST_WINDOW) forget(learner);
    turn_buckets(learner, now->now_ms);
    note_demand(learner, now, purged_bytes);
    if (!is_first) {
        note_purged(learner, purged_bytes);
        note_touched(learner, (int64_t)(now->touched_bytes - learner->last.touched_bytes), now->delay_ms);
        save(learner, now, purged_bytes);
    }
    learner->last = *now;
    if (now->is_window) {
        hold_demand(learner);
    } else {
        judge(learner);
        try_more(learner);
    }
}

void burst_learner_yield(BurstLearner *learner) {
    if (learner->level_bytes > 0) take_back_all(learner);
    rest(learner);
}
