/*
 * unit/test_burst_learner.c - what the learner of the burst bound decides about processes that build and drop, in
 * virtual time: each is a script, and no clock and no allocator takes part.
 */
#include <string.h>

#include "learning/burst_learner.h"
#include "support/resident.h"
#include "support/suite.h"

/* ---- A process: it polls as the core does ---- */

enum { STEPS_MAX = 4096, FIXED_MIB = 16, POLL_MS = 62, AGE_MS = 188, TOUCH_NS_PER_MIB = 128000 };

typedef struct Process {
    BurstLearner learner;
    BurstSight sight;
    uint64_t freed_ms[STEPS_MAX]; /* of each free MiB, the oldest first */
    size_t free_mib;
    size_t least_free_mib;   /* since the last sight */
    uint64_t poll_at_touched_bytes;
    int64_t most_bytes; /* that it had in this test, used and free together */
} Process;

static Process process;

static void begin(void) {
    memset(&process, 0, sizeof process);
    process.sight = (BurstSight){.now_ms = 1000000,
                                 .fixed_bytes = FIXED_MIB * (int64_t)MIB,
                                 .delay_ms = 250,
                                 .touch_ns_per_mib = TOUCH_NS_PER_MIB};
}

static int64_t bound_bytes(void) {
    int64_t learned_bytes = process.learner.level_bytes;
    int64_t room_bytes = burst_learner_limit_bytes(&process.learner) - process.sight.used_bytes;
    if (room_bytes < learned_bytes) learned_bytes = room_bytes;
    return learned_bytes > process.sight.fixed_bytes ? learned_bytes : process.sight.fixed_bytes;
}

static int64_t has_bytes(void) { return process.sight.used_bytes + (int64_t)(process.free_mib * MIB); }

static void see(void) {
    process.sight.free_bytes = (int64_t)(process.free_mib * MIB);
    process.sight.least_free_bytes = (int64_t)(process.least_free_mib * MIB);
    burst_learner_see(&process.learner, &process.sight);
    process.least_free_mib = STEPS_MAX;
    int64_t left_bytes = burst_learner_limit_bytes(&process.learner) - has_bytes();
    process.poll_at_touched_bytes = process.sight.touched_bytes + (left_bytes > (int64_t)MIB ? (uint64_t)left_bytes : MIB);
    if (process.learner.level_bytes == 0) process.poll_at_touched_bytes = UINT64_MAX;
}

static void give_back_oldest(size_t mib) {
    memmove(process.freed_ms, process.freed_ms + mib, (process.free_mib - mib) * sizeof *process.freed_ms);
    process.free_mib -= mib;
    process.sight.gone_bytes += mib * MIB;
}

static void poll_burst_bound(void) {
    see();
    size_t bound_mib = (size_t)bound_bytes() / MIB;
    if (process.free_mib <= bound_mib) return;
    process.sight.purged_bytes += (process.free_mib - bound_mib) * MIB;
    give_back_oldest(process.free_mib - bound_mib);
}

static void poll_of_helper(void) {
    poll_burst_bound();
    size_t old_mib = 0;
    while (old_mib < process.free_mib && process.sight.now_ms - process.freed_ms[old_mib] >= AGE_MS) old_mib++;
    give_back_oldest(old_mib);
}

static void pass_ms(uint64_t milliseconds) {
    for (; milliseconds > 0; milliseconds--)
        if (++process.sight.now_ms % POLL_MS == 0) poll_of_helper();
}

static void touch_mib(void) {
    process.sight.used_bytes += (int64_t)MIB;
    process.sight.touched_bytes += MIB;
    if (process.sight.touched_bytes > process.poll_at_touched_bytes) poll_burst_bound();
}

static void take_mib(void) {
    if (process.free_mib == 0) {
        touch_mib();
        return;
    }
    process.sight.used_bytes += (int64_t)MIB;
    if (--process.free_mib < process.least_free_mib) process.least_free_mib = process.free_mib;
}

static void return_mib(void) {
    process.sight.used_bytes -= (int64_t)MIB;
    REQUIRE(process.free_mib < STEPS_MAX);
    process.freed_ms[process.free_mib++] = process.sight.now_ms;
    if ((int64_t)(process.free_mib * MIB) > bound_bytes()) poll_burst_bound();
}

static void change(void (*by_a_mib)(void), size_t mib, uint64_t milliseconds) {
    for (size_t done = 0; done < mib; done++) {
        by_a_mib();
        if (has_bytes() > process.most_bytes) process.most_bytes = has_bytes();
        pass_ms((done + 1) * milliseconds / mib - done * milliseconds / mib);
    }
}

static void build(size_t mib, uint64_t milliseconds) { change(take_mib, mib, milliseconds); }
static void drop(size_t mib, uint64_t milliseconds) { change(return_mib, mib, milliseconds); }

static void build_and_drop(size_t mib, unsigned rounds) {
    for (unsigned round = 0; round < rounds; round++) {
        build(mib, 30);
        drop(mib, 10);
    }
}

/* MiB that were touched first in so many rounds. */
static uint64_t touched_mib(size_t mib, unsigned rounds) {
    uint64_t before_bytes = process.sight.touched_bytes;
    build_and_drop(mib, rounds);
    return (process.sight.touched_bytes - before_bytes) / MIB;
}

/* ---- What it adopts ---- */

static void test_churn_is_served_after_one_drop(void **state) {
    (void)state;
    begin();
    build_and_drop(64, 2);
    REQUIRE_EQUAL(process.learner.tried, 1);
    REQUIRE_EQUAL(process.learner.state, BURST_TRIED);
    REQUIRE_AT_MOST(touched_mib(64, 20), 1);
    REQUIRE_EQUAL(process.learner.state, BURST_KEPT);
    REQUIRE_EQUAL(process.learner.tried, 1);
    REQUIRE_EQUAL(process.learner.kept, 1);
    REQUIRE_EQUAL(process.learner.taken_back, 0);
    REQUIRE_AT_LEAST(process.learner.level_bytes, 60 * (int64_t)MIB);
    REQUIRE_AT_MOST(process.most_bytes, 72 * (int64_t)MIB); /* 64, and an eighth */
}

static void test_larger_load_is_learned_on_top(void **state) {
    (void)state;
    begin();
    build_and_drop(64, 20);
    build_and_drop(200, 2);
    REQUIRE_AT_MOST(touched_mib(200, 20), 2);
    REQUIRE_EQUAL(process.learner.taken_back, 0);
    REQUIRE_EQUAL(process.learner.state, BURST_KEPT);
}

/* Memory of another kind, which what is free does not serve: the process does not get larger by it. */
static void test_free_memory_is_no_demand(void **state) {
    (void)state;
    begin();
    build_and_drop(64, 20);
    process.most_bytes = 0;
    for (unsigned round = 0; round < 20; round++) {
        change(touch_mib, 64, 30);
        drop(64, 10);
    }
    REQUIRE_AT_MOST(process.most_bytes, (64 + FIXED_MIB + 2) * (int64_t)MIB); /* a poll comes after each MiB */
}

/* A smaller load does not hold what the larger one did, after a second. */
static void test_demand_of_last_second_limits(void **state) {
    (void)state;
    begin();
    build_and_drop(200, 20);
    build_and_drop(40, 40);
    process.most_bytes = 0;
    REQUIRE_AT_MOST(touched_mib(40, 20), 1);
    REQUIRE_AT_MOST(process.most_bytes, 56 * (int64_t)MIB); /* 40, and the fixed bound */
}

static void test_what_is_within_the_fixed_bound_teaches_nothing(void **state) {
    (void)state;
    begin();
    build_and_drop(FIXED_MIB, 50);
    REQUIRE_EQUAL(process.learner.tried, 0);
    REQUIRE_EQUAL(process.learner.regret_bytes, 0);
}

/* ---- What it does not try ---- */

static void test_one_drop_teaches_nothing(void **state) {
    (void)state;
    begin();
    build(300, 500);
    drop(300, 100);
    pass_ms(2000);
    REQUIRE_EQUAL(process.learner.tried, 0);
    REQUIRE_EQUAL(process.free_mib, 0);
}

/* It would have gone for its age since. */
static void test_later_than_the_delay_is_no_regret(void **state) {
    (void)state;
    begin();
    for (unsigned round = 0; round < 10; round++) {
        build(100, 30);
        drop(100, 10);
        pass_ms(round % 2 == 0 ? 350 : 1200);
    }
    REQUIRE_EQUAL(process.learner.regret_bytes, 0);
    REQUIRE_EQUAL(process.learner.tried, 0);
}

/* A purge of 8 MiB is missed by the first 8 MiB that are touched, and by no other. */
static void test_purge_is_regretted_once(void **state) {
    (void)state;
    begin();
    see();
    process.sight.purged_bytes += 8 * MIB;
    see();
    for (size_t mib = 2; mib <= 8; mib++) {
        process.sight.touched_bytes += mib * MIB;
        see();
    }
    REQUIRE_EQUAL(process.learner.regret_bytes, 8 * MIB);
}

/* ---- How much it lets a process have ---- */

/* Of whatever length: each place in the ring of demands is the oldest one once. */
static void test_demand_before_a_pause_is_forgotten(void **state) {
    (void)state;
    for (uint64_t buckets = 100; buckets < 100 + BURST_BUCKETS; buckets++) {
        begin();
        process.sight.used_bytes = 512 * (int64_t)MIB;
        see();
        REQUIRE_EQUAL(burst_learner_limit_bytes(&process.learner), 520 * MIB);
        process.sight.now_ms += buckets * BURST_BUCKET_MS;
        process.sight.used_bytes = 16 * (int64_t)MIB;
        see();
        REQUIRE_EQUAL(burst_learner_limit_bytes(&process.learner), 18 * MIB);
    }
}

/* ---- What it takes back ---- */

/* Regret, and never again a build within the time for which free memory may stay. */
static void fail_a_trial(void) {
    build(100, 30);
    drop(100, 10);
    build(100, 30);
    drop(100, 10);
    pass_ms(BURST_TRIAL_MS + POLL_MS);
    poll_of_helper();
}

static void test_trial_that_does_not_pay_is_taken_back(void **state) {
    (void)state;
    begin();
    fail_a_trial();
    REQUIRE_EQUAL(process.learner.tried, 1);
    REQUIRE_EQUAL(process.learner.kept, 0);
    REQUIRE_EQUAL(process.learner.taken_back, 1);
    REQUIRE_EQUAL(process.learner.state, BURST_FIXED);
    REQUIRE_EQUAL(process.learner.level_bytes, 0);
}

static void test_rest_after_a_failure_grows_until_one_is_kept(void **state) {
    (void)state;
    begin();
    for (uint64_t rest_ms = BURST_REST_MS_MIN; rest_ms <= 2 * BURST_REST_MS_MAX; rest_ms *= 2) {
        uint64_t tried = process.learner.tried;
        fail_a_trial();
        REQUIRE_EQUAL(process.learner.tried, tried + 1);
        REQUIRE_EQUAL(process.learner.rest_ms, rest_ms < BURST_REST_MS_MAX ? rest_ms : BURST_REST_MS_MAX);
        build_and_drop(100, 5); /* within the rest */
        REQUIRE_EQUAL(process.learner.tried, tried + 1);
        pass_ms(process.learner.rest_ms);
    }
    build_and_drop(100, 20);
    REQUIRE_EQUAL(process.learner.state, BURST_KEPT);
    REQUIRE_EQUAL(process.learner.rest_ms, 0);
}

/* A failed trial of more goes back to what was kept. */
static void test_kept_level_survives_a_failed_trial(void **state) {
    (void)state;
    begin();
    build_and_drop(64, 20);
    int64_t kept_bytes = process.learner.level_bytes;
    process.sight.touch_ns_per_mib = 0; /* nothing pays any more */
    build(200, 30);
    drop(200, 10);
    build(200, 30);
    drop(200, 10);
    REQUIRE_EQUAL(process.learner.state, BURST_TRIED);
    REQUIRE_AT_LEAST(process.learner.level_bytes, kept_bytes + 1);
    pass_ms(BURST_TRIAL_MS + POLL_MS);
    REQUIRE_EQUAL(process.learner.level_bytes, kept_bytes);
    process.sight.touch_ns_per_mib = TOUCH_NS_PER_MIB;
    build_and_drop(64, 20); /* with the savings that it had */
    REQUIRE_EQUAL(process.learner.level_bytes, kept_bytes);
    REQUIRE_EQUAL(process.learner.taken_back, 1);
}

/* A program that trims has used nothing of what was held. */
static void test_trimmed_bytes_are_no_gain(void **state) {
    (void)state;
    begin();
    build_and_drop(64, 2);
    REQUIRE_EQUAL(process.learner.state, BURST_TRIED);
    for (unsigned round = 0; process.learner.state == BURST_TRIED; round++) {
        REQUIRE_AT_MOST(round, 20);
        give_back_oldest(process.free_mib);
        build_and_drop(64, 1);
    }
    REQUIRE_EQUAL(process.learner.kept, 0);
}

static void miss_4_mib_of_64(unsigned rounds) {
    for (unsigned round = 0; round < rounds; round++) {
        build(60, 28);
        change(touch_mib, 4, 2);
        drop(64, 10);
    }
}

/* Where the level is at its limit there is nothing to try. */
static void test_no_trial_without_room(void **state) {
    (void)state;
    begin();
    build_and_drop(64, 20);
    miss_4_mib_of_64(40);
    uint64_t regret_bytes = process.learner.regret_bytes, tried = process.learner.tried;
    REQUIRE_EQUAL(process.learner.state, BURST_KEPT);
    miss_4_mib_of_64(40);
    REQUIRE_AT_LEAST(process.learner.regret_bytes, regret_bytes + 40 * MIB);
    REQUIRE_EQUAL(process.learner.tried, tried);
    REQUIRE_EQUAL(process.learner.state, BURST_KEPT);
}

/* From churn to drops that nothing follows: at most 2 s of them. */
static void test_kept_level_is_forgotten(void **state) {
    (void)state;
    begin();
    build_and_drop(64, 50);
    REQUIRE_EQUAL(process.learner.state, BURST_KEPT);
    uint64_t begin_ms = process.sight.now_ms;
    while (process.learner.state == BURST_KEPT) {
        REQUIRE_AT_MOST(process.sight.now_ms, begin_ms + 3000);
        pass_ms(400);
        build(64, 90);
        drop(64, 10);
    }
    REQUIRE_EQUAL(process.learner.taken_back, 1);
    REQUIRE_EQUAL(process.learner.level_bytes, 0);
}

/* A pause after churn costs a fraction of what the churn saved. */
static void test_kept_level_outlives_a_pause(void **state) {
    (void)state;
    begin();
    build_and_drop(64, 50);
    for (unsigned pauses = 0; pauses < 20; pauses++) {
        pass_ms(5000);
        build_and_drop(64, 1); /* the memory of before has gone */
        REQUIRE_AT_MOST(touched_mib(64, 25), 1);
    }
    REQUIRE_EQUAL(process.learner.tried, 1);
    REQUIRE_EQUAL(process.learner.taken_back, 0);
}

static void test_price_decides(void **state) {
    (void)state;
    const uint64_t cheap_ns = TOUCH_NS_PER_MIB / 1000;
    begin();
    process.sight.touch_ns_per_mib = cheap_ns;
    build_and_drop(64, 20);
    REQUIRE_EQUAL(process.learner.taken_back, 1);
    begin();
    build_and_drop(64, 20);
    REQUIRE_EQUAL(process.learner.taken_back, 0);
}

static void test_yields(void **state) {
    (void)state;
    begin();
    build_and_drop(64, 20);
    burst_learner_yield(&process.learner);
    REQUIRE_EQUAL(process.learner.level_bytes, 0);
    REQUIRE_EQUAL(process.learner.taken_back, 1);
    build_and_drop(64, 5);
    REQUIRE_EQUAL(process.learner.tried, 1);
    pass_ms(BURST_REST_MS_MIN);
    build_and_drop(64, 10);
    REQUIRE_EQUAL(process.learner.tried, 2);
    burst_learner_yield(&process.learner);
    burst_learner_yield(&process.learner); /* with nothing to take back */
    REQUIRE_EQUAL(process.learner.taken_back, 2);
}

/* ---- A window of peak demand ---- */

static void test_window_holds_the_demand(void **state) {
    (void)state;
    begin();
    process.sight.is_window = true;
    build_and_drop(64, 1);
    REQUIRE_AT_MOST(touched_mib(64, 20), 1);
    REQUIRE_EQUAL(process.learner.state, BURST_WINDOW);
    REQUIRE_EQUAL(process.learner.tried, 0);
    REQUIRE_AT_MOST(process.most_bytes, 72 * (int64_t)MIB);
    burst_learner_yield(&process.learner);
    REQUIRE_AT_LEAST(touched_mib(64, 10), 9 * (64 - FIXED_MIB));
    pass_ms(BURST_REST_MS_MIN);
    build_and_drop(64, 1);
    REQUIRE_AT_MOST(touched_mib(64, 20), 1);
    process.sight.is_window = false;
    build_and_drop(64, 2);
    REQUIRE_EQUAL(process.learner.state, BURST_TRIED);
}

/* ---- Limits ---- */

/* A terabyte that is held for a day, and more of it, by a machine that stands still. */
static void test_no_sum_overflows(void **state) {
    (void)state;
    const int64_t huge_bytes = (int64_t)1 << 40;
    const uint64_t day_ms = 86400000;
    begin();
    for (unsigned turn = 0; turn < 8; turn++) {
        process.sight.now_ms += day_ms;
        process.sight.used_bytes = turn % 2 == 0 ? huge_bytes : 0;
        process.sight.free_bytes = huge_bytes - process.sight.used_bytes;
        process.sight.purged_bytes += (uint64_t)huge_bytes;
        process.sight.touched_bytes += (uint64_t)huge_bytes;
        burst_learner_see(&process.learner, &process.sight);
        REQUIRE_AT_LEAST(process.learner.level_bytes, 0);
        REQUIRE_AT_MOST(process.learner.level_bytes, 2 * huge_bytes);
        process.sight.now_ms += 100 * day_ms;
        process.sight.touch_ns_per_mib = UINT64_MAX / 2;
        burst_learner_see(&process.learner, &process.sight);
    }
}

static void test_same_script_same_decisions(void **state) {
    (void)state;
    static BurstLearner first;
    for (unsigned run = 0; run < 2; run++) {
        begin();
        for (size_t mib = 20; mib < 300; mib += 7) build_and_drop(mib, 1 + (unsigned)mib % 5);
        fail_a_trial();
        if (run == 0) first = process.learner;
    }
    REQUIRE_EQUAL(memcmp(&first, &process.learner, sizeof first), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_churn_is_served_after_one_drop),
        cmocka_unit_test(test_larger_load_is_learned_on_top),
        cmocka_unit_test(test_free_memory_is_no_demand),
        cmocka_unit_test(test_demand_of_last_second_limits),
        cmocka_unit_test(test_what_is_within_the_fixed_bound_teaches_nothing),
        cmocka_unit_test(test_one_drop_teaches_nothing),
        cmocka_unit_test(test_later_than_the_delay_is_no_regret),
        cmocka_unit_test(test_purge_is_regretted_once),
        cmocka_unit_test(test_demand_before_a_pause_is_forgotten),
        cmocka_unit_test(test_trial_that_does_not_pay_is_taken_back),
        cmocka_unit_test(test_rest_after_a_failure_grows_until_one_is_kept),
        cmocka_unit_test(test_kept_level_survives_a_failed_trial),
        cmocka_unit_test(test_trimmed_bytes_are_no_gain),
        cmocka_unit_test(test_no_trial_without_room),
        cmocka_unit_test(test_kept_level_is_forgotten),
        cmocka_unit_test(test_kept_level_outlives_a_pause),
        cmocka_unit_test(test_price_decides),
        cmocka_unit_test(test_yields),
        cmocka_unit_test(test_window_holds_the_demand),
        cmocka_unit_test(test_no_sum_overflows),
        cmocka_unit_test(test_same_script_same_decisions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
