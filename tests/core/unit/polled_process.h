/*
 * unit/polled_process.h - a process in virtual time that builds and drops MiB by MiB, and polls the learner of the
 * burst bound as the core does. For unit/test_burst_learner.c.
 */
#ifndef UNIT_POLLED_PROCESS_H
#define UNIT_POLLED_PROCESS_H

#include "learning/burst_learner.h"
#include "support/resident.h"
#include "support/suite.h"
#include <string.h>

enum { STEPS_MAX = 4096, FIXED_MIB = 16, POLL_MS = 62, AGE_MS = 188, IDLE_POLLS = 4, TOUCH_NS_PER_MIB = 128000 };

typedef struct Process {
    BurstLearner learner;
    BurstSight sight;
    uint64_t freed_ms[STEPS_MAX]; /* of each free MiB, the oldest first */
    size_t free_mib;
    unsigned idle_polls;
    size_t least_free_mib; /* since the last sight */
    uint64_t poll_at_touched_bytes;
    int64_t most_bytes; /* that it had in this test, used and free together */
} Process;

static Process process;

static inline void begin(void) {
    memset(&process, 0, sizeof process);
    process.sight = (BurstSight){.now_ms = 1000000,
                                 .fixed_bytes = FIXED_MIB * (int64_t)MIB,
                                 .delay_ms = 250,
                                 .poll_ms = POLL_MS + 1,
                                 .touch_ns_per_mib = TOUCH_NS_PER_MIB};
}

static inline int64_t bound_bytes(void) {
    int64_t learned_bytes = process.learner.level_bytes;
    int64_t room_bytes = burst_learner_limit_bytes(&process.learner) - process.sight.used_bytes;
    if (room_bytes < learned_bytes) learned_bytes = room_bytes;
    return learned_bytes > process.sight.fixed_bytes ? learned_bytes : process.sight.fixed_bytes;
}

static inline int64_t has_bytes(void) { return process.sight.used_bytes + (int64_t)(process.free_mib * MIB); }

static inline void see(void) {
    process.sight.free_bytes = (int64_t)(process.free_mib * MIB);
    process.sight.least_free_bytes = (int64_t)(process.least_free_mib * MIB);
    burst_learner_see(&process.learner, &process.sight);
    process.least_free_mib = STEPS_MAX;
    int64_t left_bytes = burst_learner_limit_bytes(&process.learner) - has_bytes();
    process.poll_at_touched_bytes =
        process.sight.touched_bytes + (left_bytes > (int64_t)MIB ? (uint64_t)left_bytes : MIB);
    if (process.learner.level_bytes == 0) process.poll_at_touched_bytes = UINT64_MAX;
}

static inline void give_back_oldest(size_t mib) {
    memmove(process.freed_ms, process.freed_ms + mib, (process.free_mib - mib) * sizeof *process.freed_ms);
    process.free_mib -= mib;
    process.sight.gone_bytes += mib * MIB;
}

static inline void poll_burst_bound(void) {
    see();
    size_t bound_mib = (size_t)bound_bytes() / MIB;
    if (process.free_mib <= bound_mib) return;
    process.sight.purged_bytes += (process.free_mib - bound_mib) * MIB;
    give_back_oldest(process.free_mib - bound_mib);
}

static inline void poll_of_helper(void) {
    poll_burst_bound();
    size_t old_mib = 0;
    while (old_mib < process.free_mib && process.sight.now_ms - process.freed_ms[old_mib] >= AGE_MS) old_mib++;
    give_back_oldest(old_mib);
}

/* The helper ends after IDLE_POLLS in a row at which nothing is free. */
static inline void pass_ms(uint64_t milliseconds) {
    for (; milliseconds > 0; milliseconds--) {
        if (++process.sight.now_ms % POLL_MS != 0) continue;
        process.idle_polls = process.free_mib > 0 ? 0 : process.idle_polls + 1;
        if (process.idle_polls <= IDLE_POLLS) poll_of_helper();
    }
}

static inline void touch_mib(void) {
    process.sight.used_bytes += (int64_t)MIB;
    process.sight.touched_bytes += MIB;
    if (process.sight.touched_bytes > process.poll_at_touched_bytes) poll_burst_bound();
}

static inline void take_mib(void) {
    if (process.free_mib == 0) {
        touch_mib();
        return;
    }
    process.sight.used_bytes += (int64_t)MIB;
    if (--process.free_mib < process.least_free_mib) process.least_free_mib = process.free_mib;
}

static inline void return_mib(void) {
    process.sight.used_bytes -= (int64_t)MIB;
    REQUIRE(process.free_mib < STEPS_MAX);
    process.freed_ms[process.free_mib++] = process.sight.now_ms;
    if ((int64_t)(process.free_mib * MIB) > bound_bytes()) poll_burst_bound();
}

/* A large block. */
static inline void drop_at_once(size_t mib) {
    process.sight.used_bytes -= (int64_t)(mib * MIB);
    for (; mib > 0; mib--) process.freed_ms[process.free_mib++] = process.sight.now_ms;
    poll_burst_bound();
}

static inline void change(void (*by_a_mib)(void), size_t mib, uint64_t milliseconds) {
    for (size_t done = 0; done < mib; done++) {
        by_a_mib();
        if (has_bytes() > process.most_bytes) process.most_bytes = has_bytes();
        pass_ms((done + 1) * milliseconds / mib - done * milliseconds / mib);
    }
}

static inline void build(size_t mib, uint64_t milliseconds) { change(take_mib, mib, milliseconds); }
static inline void drop(size_t mib, uint64_t milliseconds) { change(return_mib, mib, milliseconds); }

static inline void build_and_drop(size_t mib, unsigned rounds) {
    for (unsigned round = 0; round < rounds; round++) {
        build(mib, 30);
        drop(mib, 10);
    }
}

/* MiB that were touched first in so many rounds. */
static inline uint64_t touched_mib(size_t mib, unsigned rounds) {
    uint64_t before_bytes = process.sight.touched_bytes;
    build_and_drop(mib, rounds);
    return (process.sight.touched_bytes - before_bytes) / MIB;
}

#endif
