/*
 * learning/burst_learner.h - learns how much free memory to hold between a drop and the build that comes after it.
 *
 * Layer: learning. Pure state and arithmetic: no clock, no lock, no OS. Thread rule: one caller at a time.
 *
 * Somebody who knows the process tells what it sees, before each purge for the burst bound. The learner answers with a
 * level: how many bytes of free OS pages are worth holding.
 *
 *   demand = most used bytes of the last second: those of now, and what has become free since the last look. Free
 *            bytes that nobody used in between are no demand. And what all caches hold when they are full: what is
 *            free in one thread's slabs of a class serves neither another thread nor another class
 *   regret = bytes that were touched first while as many had been purged for the burst bound a moment before: within
 *            the time for which free memory may stay, and within a second
 *   gain   = bytes that were reused of what was held above the fixed bound, times the time of a first touch: down to
 *            the least that was free since the last look
 *   price  = bytes that were held above the fixed bound, times time, at BURST_PRICE_NS_PER_MIB_MS
 *
 * Regret raises the level by as much, for a window: the canary. After it the level is kept if the gain is at least the
 * price, and taken back if not. A kept level saves up what the gain exceeds the price by, and is forgotten when that
 * is used up.
 *
 *   fixed -regret-> tried -window ends, gain >= price-> kept -savings used up-> fixed
 *                   tried -window ends, gain < price-> fixed or kept, whatever it was
 *                   kept -regret-> tried
 *
 * A window of peak demand takes the demand alone, whether holding as much pays or not:
 *
 *   any -is_window-> window -not is_window-> fixed
 */
#ifndef HAK_LEARNING_BURST_LEARNER_H
#define HAK_LEARNING_BURST_LEARNER_H

#include "base/base.h"

/* A MiB that is held for a millisecond must save so much processor time. With a first touch of 0.5 us for each 4 KiB,
 * which is usual, holding an OS page for up to a second pays if it is used again. */
#define BURST_PRICE_NS_PER_MIB_MS 128

#define BURST_TRIAL_MS 250
#define BURST_REST_MS_MIN 1000  /* after a trial failed nothing is tried for so long; */
#define BURST_REST_MS_MAX 32000 /* each time twice as long, until a level is kept */
#define BURST_REGRET_BYTES_MIN ((int64_t)1 << 20)

enum { BURST_BUCKETS = 8, BURST_BUCKET_MS = 125 }; /* a second */

typedef struct BurstSight {
    bool is_window;            /* the demand alone */
    uint64_t now_ms;           /* not 0 */
    int64_t used_bytes;        /* in blocks, cached ones too */
    int64_t cacheable_bytes;   /* what all caches hold when they are full */
    int64_t free_bytes;        /* in free OS pages that are resident */
    int64_t least_free_bytes;  /* the least since the last sight, or more */
    int64_t fixed_bytes;       /* what may be free without a learner; at most 2^61 */
    uint64_t delay_ms;         /* for how long it may be free */
    uint64_t poll_ms;          /* from one sight to the next at most, while something is held */
    uint64_t purged_bytes;     /* since the start: for the burst bound */
    uint64_t gone_bytes;       /* since the start: given back to the OS for any reason, those too */
    uint64_t touched_bytes;    /* since the start: OS pages that were touched first */
    uint64_t touch_ns_per_mib; /* the time that it takes to touch a MiB first */
} BurstSight;

typedef enum BurstState { BURST_FIXED, BURST_TRIED, BURST_KEPT, BURST_WINDOW } BurstState;

/* The level of a window: the demand is the only limit. */
#define BURST_LEVEL_BYTES_MAX INT64_MAX

typedef struct BurstLearner {
    BurstState state;
    int64_t level_bytes;      /* 0: what the fixed bound allows */
    int64_t kept_level_bytes; /* what a trial that fails goes back to, */
    int64_t kept_savings_ns;  /* with these savings */
    BurstSight last;
    uint64_t bucket;                          /* time / BURST_BUCKET_MS */
    int64_t demand_bytes[BURST_BUCKETS];      /* the demand in each */
    int64_t regrettable_bytes[BURST_BUCKETS]; /* purged in each, and not regretted yet */
    int64_t untried_regret_bytes;             /* since the last trial began */
    uint64_t trial_since_ms;
    int64_t savings_ns; /* gain - price: of the trial, or of the kept level */
    uint64_t rest_ms, rest_until_ms;
    uint64_t regret_bytes, tried, kept, taken_back; /* since the start */
} BurstLearner;

/* Takes note, and decides. */
void burst_learner_see(BurstLearner *learner, const BurstSight *now);

/* Goes back to the fixed bound, and rests: memory is short. */
void burst_learner_yield(BurstLearner *learner);

/* What the process may have, used and free together: the demand, and a little for what differs from build to build. */
int64_t burst_learner_limit_bytes(const BurstLearner *learner);

#endif
