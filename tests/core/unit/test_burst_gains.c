/*
 * unit/test_burst_gains.c - what counts as gain and what as price of a level that the learner of the burst bound tries
 * or keeps, in virtual time.
 */
#include "unit/polled_process.h"

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

/* While the memory is in use nobody polls, and nothing is held. */
static void test_use_has_no_price(void **state) {
    (void)state;
    begin();
    build_and_drop(64, 50);
    for (unsigned jobs = 0; jobs < 20; jobs++) {
        build(64, 30);
        pass_ms(3000);
        drop(64, 10);
    }
    REQUIRE_EQUAL(process.learner.tried, 1);
    REQUIRE_EQUAL(process.learner.taken_back, 0);
}

/* Drops that nothing comes after, before anything is held: they cost nothing, so there is no debt. */
static void test_rare_drops_leave_no_debt(void **state) {
    (void)state;
    begin();
    for (unsigned rare = 0; rare < 10; rare++) {
        build(96, 300);
        drop_at_once(96);
        pass_ms(3000);
    }
    REQUIRE_EQUAL(process.learner.savings_ns, 0);
    build_and_drop(96, 60);
    REQUIRE_EQUAL(process.learner.state, BURST_KEPT);
    REQUIRE_EQUAL(process.learner.tried, 1);
    REQUIRE_EQUAL(process.learner.taken_back, 0);
}

/* The fixed bound is a share of used bytes: where it rises, nothing was reused. */
static void test_rise_of_the_fixed_bound_is_no_gain(void **state) {
    (void)state;
    begin();
    build_and_drop(64, 2);
    REQUIRE_EQUAL(process.learner.state, BURST_TRIED);
    process.sight.fixed_bytes += 64 * (int64_t)MIB;
    poll_burst_bound();
    REQUIRE(process.learner.savings_ns <= 0);
}

/* Another thread has given back what it purges, and has not told it yet. */
static void test_purge_that_goes_on_is_no_gain(void **state) {
    (void)state;
    begin();
    build_and_drop(64, 2);
    size_t held_mib = process.free_mib;
    give_back_oldest(held_mib);
    see();
    process.sight.purged_bytes += held_mib * MIB;
    see();
    REQUIRE(process.learner.savings_ns <= 0);
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

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_trimmed_bytes_are_no_gain),     cmocka_unit_test(test_use_has_no_price),
        cmocka_unit_test(test_rare_drops_leave_no_debt),      cmocka_unit_test(test_rise_of_the_fixed_bound_is_no_gain),
        cmocka_unit_test(test_purge_that_goes_on_is_no_gain), cmocka_unit_test(test_price_decides),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
