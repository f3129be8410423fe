/*
 * unit/test_bounds.c - the retain bounds as the options give them: added up, never beyond the largest number, and that
 * of the helper thread higher in a process that never had a thread.
 *
 * In unit because it asks retention/bounds.h.
 */
#include "retention/bounds.h"

#include <stdio.h>

#include "platform/os.h"
#include "support/stats.h"
#include "support/suite.h"

enum { USED_BYTES = 1000, FIXED_BYTES = 5000, MORE_BYTES = 300 };

static void set(const char *name, int64_t value) {
    char text[32];
    snprintf(text, sizeof text, "%lld", (long long)value);
    stats_option_set(name, text);
}

static void set_idle_bound(int64_t fixed_bytes, int64_t percent) {
    set("retain_bytes", fixed_bytes);
    set("retain_percent", percent);
}

static void test_idle_bound_is_a_sum(void **state) {
    (void)state;
    set_idle_bound(FIXED_BYTES, 20);
    REQUIRE_EQUAL(bounds_idle(USED_BYTES).bytes, FIXED_BYTES + 200);
    REQUIRE_EQUAL(bounds_idle(USED_BYTES).percent, 20);
    set_idle_bound(BOUND_BYTES_MAX - 200, 20);
    REQUIRE_EQUAL(bounds_idle(USED_BYTES).bytes, BOUND_BYTES_MAX);
    set_idle_bound(BOUND_BYTES_MAX - 199, 20);
    REQUIRE_EQUAL(bounds_idle(USED_BYTES).bytes, BOUND_BYTES_MAX);
    set_idle_bound(INT64_MAX, 20); /* what the option allows */
    REQUIRE_EQUAL(bounds_idle(USED_BYTES).bytes, BOUND_BYTES_MAX);
}

static void test_burst_bound_is_the_largest(void **state) {
    (void)state;
    set_idle_bound(FIXED_BYTES, 0);
    set("retain_burst_bytes", FIXED_BYTES + 1);
    set("retain_burst_percent", 0);
    REQUIRE_EQUAL(bounds_burst_fixed(USED_BYTES).bytes, FIXED_BYTES + 1);
    set("retain_burst_percent", 1000);
    REQUIRE_EQUAL(bounds_burst_fixed(USED_BYTES).bytes, 10 * USED_BYTES);
    set_idle_bound(10 * USED_BYTES + 1, 0);
    REQUIRE_EQUAL(bounds_burst_fixed(USED_BYTES).bytes, 10 * USED_BYTES + 1);
}

static void test_helper_bound_is_higher_without_threads(void **state) {
    (void)state;
    bool is_higher = os_has_one_thread_ever(); /* a C library need not know it */
    set_idle_bound(FIXED_BYTES, 20);
    set("purge_delay_ms", 250);
    set("first_thread_bytes", 0);
    REQUIRE_EQUAL(bounds_helper(USED_BYTES).bytes, FIXED_BYTES + 200);
    set("first_thread_bytes", MORE_BYTES);
    REQUIRE_EQUAL(bounds_helper(USED_BYTES).bytes, FIXED_BYTES + 200 + (is_higher ? MORE_BYTES : 0));
    set_idle_bound(BOUND_BYTES_MAX - MORE_BYTES, 0);
    REQUIRE_EQUAL(bounds_helper(USED_BYTES).bytes, BOUND_BYTES_MAX - (is_higher ? 0 : MORE_BYTES));
    set_idle_bound(BOUND_BYTES_MAX - 1, 0);
    REQUIRE_EQUAL(bounds_helper(USED_BYTES).bytes, BOUND_BYTES_MAX - (is_higher ? 0 : 1));
}

/* There is no helper whose start would have to be worth it. */
static void test_helper_bound_without_a_delay_is_the_idle_bound(void **state) {
    (void)state;
    set_idle_bound(FIXED_BYTES, 20);
    set("first_thread_bytes", MORE_BYTES);
    set("purge_delay_ms", 0);
    REQUIRE_EQUAL(bounds_helper(USED_BYTES).bytes, FIXED_BYTES + 200);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_idle_bound_is_a_sum),
        cmocka_unit_test(test_burst_bound_is_the_largest),
        cmocka_unit_test(test_helper_bound_is_higher_without_threads),
        cmocka_unit_test(test_helper_bound_without_a_delay_is_the_idle_bound),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
