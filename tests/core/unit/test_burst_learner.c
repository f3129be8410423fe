/*
 * unit/test_burst_learner.c - what the learner of the burst bound decides about processes that build and drop, in
 * virtual time: each is a script, and no clock and no allocator takes part.
 */
#include <string.h>

#include "unit/polled_process.h"

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
    REQUIRE_AT_MOST(process.most_bytes, 72 * (int64_t)MIB); /* 64, and 8 */
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

/* A service that rests between its requests: each look finds the same bytes free, and they were used in between. */
static void test_use_between_two_looks_is_a_gain(void **state) {
    (void)state;
    begin();
    pass_ms(POLL_MS - process.sight.now_ms % POLL_MS + 1); /* so that each poll comes in a rest */
    for (unsigned round = 0; round < 40; round++) {
        if (round == 20) process.sight.touched_bytes = 0;
        build(64, 2);
        drop(64, 2);
        pass_ms(POLL_MS - 4);
    }
    REQUIRE_AT_MOST(process.sight.touched_bytes, MIB);
    REQUIRE_EQUAL(process.learner.state, BURST_KEPT);
    REQUIRE_EQUAL(process.learner.taken_back, 0);
}

/* A process that holds 64 MiB, and builds and drops as much of another kind, which what it holds does not serve. */
static void build_another_kind(void) {
    process.most_bytes = 0;
    for (unsigned round = 0; round < 20; round++) {
        change(touch_mib, 64, 30);
        drop(64, 10);
    }
}

/* It does not get larger by what is free. */
static void test_free_memory_is_no_demand(void **state) {
    (void)state;
    begin();
    build_and_drop(64, 20);
    build_another_kind();
    REQUIRE_AT_MOST(process.most_bytes, (64 + FIXED_MIB + 2) * (int64_t)MIB); /* a poll comes after each MiB */
}

/* It holds more by what full caches hold. */
static void test_full_caches_are_demand(void **state) {
    enum { CACHEABLE_MIB = 32 };
    (void)state;
    begin();
    process.sight.cacheable_bytes = CACHEABLE_MIB * (int64_t)MIB;
    build_and_drop(64, 20);
    pass_ms(POLL_MS); /* the next look finds all of it free */
    build_another_kind();
    REQUIRE_AT_MOST(process.most_bytes, (64 + 8 + CACHEABLE_MIB + 4) * (int64_t)MIB);
    REQUIRE_AT_LEAST(process.most_bytes, (64 + CACHEABLE_MIB) * (int64_t)MIB);
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
        REQUIRE_EQUAL(burst_learner_limit_bytes(&process.learner), 20 * MIB);
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
        cmocka_unit_test(test_use_between_two_looks_is_a_gain),
        cmocka_unit_test(test_free_memory_is_no_demand),
        cmocka_unit_test(test_full_caches_are_demand),
        cmocka_unit_test(test_demand_of_last_second_limits),
        cmocka_unit_test(test_what_is_within_the_fixed_bound_teaches_nothing),
        cmocka_unit_test(test_one_drop_teaches_nothing),
        cmocka_unit_test(test_later_than_the_delay_is_no_regret),
        cmocka_unit_test(test_purge_is_regretted_once),
        cmocka_unit_test(test_demand_before_a_pause_is_forgotten),
        cmocka_unit_test(test_trial_that_does_not_pay_is_taken_back),
        cmocka_unit_test(test_rest_after_a_failure_grows_until_one_is_kept),
        cmocka_unit_test(test_kept_level_survives_a_failed_trial),
        cmocka_unit_test(test_no_trial_without_room),
        cmocka_unit_test(test_kept_level_is_forgotten),
        cmocka_unit_test(test_kept_level_outlives_a_pause),
        cmocka_unit_test(test_yields),
        cmocka_unit_test(test_window_holds_the_demand),
        cmocka_unit_test(test_no_sum_overflows),
        cmocka_unit_test(test_same_script_same_decisions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
