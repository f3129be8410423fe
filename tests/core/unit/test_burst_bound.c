/*
 * unit/test_burst_bound.c - the burst bound as the core asks the learner for it: large blocks take their room, full
 * caches are demand, OS pages that went for their age are no gain, and a child learns although its parent was in the
 * middle of it.
 *
 * In unit because it tells the learner of purges and of first touches that did not happen.
 */
#include "heap/heap_all.h"
#include "platform/os.h"
#include "retention/burst.h"
#include "superslab/superslab.h"
#include "support/await.h"
#include "support/child.h"
#include "support/resident.h"
#include "support/stats.h"
#include "unit/fork_while_held.h"

enum { BLOCKS = 16, BLOCK_MIB = 4, ALL_MIB = BLOCKS * BLOCK_MIB };

static void *blocks[BLOCKS];
static Story story = STORY_START;
static _Thread_local bool is_holding;
static bool has_no_memory; /* for first touches */

uint64_t __real_hak_core_os_touch_ns_per_mib(void);
uint64_t __wrap_hak_core_os_touch_ns_per_mib(void);

uint64_t __wrap_hak_core_os_touch_ns_per_mib(void) {
    story_hold(&story, &is_holding, STEP_HELD, STEP_FORKED);
    if (has_no_memory) return 0;
    return __real_hak_core_os_touch_ns_per_mib();
}

/* Without touching them, so that they take no memory; the core counts them as touched. */
static void take_blocks(void) {
    for (size_t number = 0; number < BLOCKS; number++) REQUIRE((blocks[number] = hak_malloc(BLOCK_MIB * MIB)) != NULL);
}

static void free_blocks(size_t count) {
    for (size_t number = 0; number < count; number++) hak_free(blocks[number]);
}

/* As much is purged as the process has, and touched again at once. A machine that is busy for a whole second between
 * the two makes it necessary to try again. */
static void begin_a_trial(void) {
    enum { TRIES_MAX = 100 };
    for (unsigned tries = 0; stats_now().learn_tried == 0; tries++) {
        REQUIRE_AT_MOST(tries, TRIES_MAX);
        burst_see(heap_used_bytes_all());
        burst_note_purged(ALL_MIB * MIB);
        burst_see(heap_used_bytes_all());
        first_touched(ALL_MIB * MIB);
        burst_see(heap_used_bytes_all());
    }
}

/* ---- What is used ---- */

static void large_blocks_take_room(void *unused) {
    (void)unused;
    enum { MORE_MIB = 8 }; /* a quarter of 64 MiB, and 8 at most */
    stats_option_set("learn", "window");
    stats_option_set("purge_delay_ms", "3600000");
    take_blocks();
    int64_t used_bytes = heap_used_bytes_all();
    burst_see(used_bytes);
    REQUIRE_EQUAL(burst_bound(used_bytes).bytes, bounds_burst_fixed(used_bytes).bytes);
    free_blocks(BLOCKS / 2);
    REQUIRE_AT_MOST(burst_bound(used_bytes).bytes, (ALL_MIB / 2 + MORE_MIB) * MIB);
    REQUIRE_AT_LEAST(burst_bound(used_bytes).bytes, ALL_MIB / 2 * MIB);
}

static void test_large_blocks_take_room(void **state) {
    (void)state;
    child_must_succeed(large_blocks_take_room, NULL);
}

static void full_caches_are_demand(void *unused) {
    enum { CACHEABLE_MIB = 32 };
    (void)unused;
    stats_option_set("learn", "window");
    stats_option_set("purge_delay_ms", "3600000");
    take_blocks();
    int64_t used_bytes = heap_used_bytes_all(), capacity_bytes = LOAD_RELAXED(magazine_capacity_bytes);
    atomic_fetch_add(&magazine_capacity_bytes, CACHEABLE_MIB * MIB);
    burst_see(used_bytes);
    atomic_store(&magazine_capacity_bytes, capacity_bytes);
    free_blocks(BLOCKS);
    REQUIRE_AT_LEAST(burst_bound(used_bytes).bytes, (ALL_MIB + CACHEABLE_MIB) * MIB);
}

static void test_full_caches_are_demand(void **state) {
    (void)state;
    child_must_succeed(full_caches_are_demand, NULL);
}

static void plain_calls_learn_nothing(void *unused) {
    (void)unused;
    stats_option_set("learn", "window");
    stats_option_set("purge_delay_ms", "3600000");
    take_blocks();
    int64_t used_bytes = heap_used_bytes_all();
    burst_see(used_bytes);
    free_blocks(BLOCKS);
    REQUIRE_AT_LEAST(burst_bound(used_bytes).bytes, ALL_MIB * MIB);
    os_calls_are_plain = true;
    REQUIRE_EQUAL(burst_bound(used_bytes).bytes, bounds_burst_fixed(used_bytes).bytes);
}

static void test_plain_calls_learn_nothing(void **state) {
    (void)state;
    child_must_succeed(plain_calls_learn_nothing, NULL);
}

/* ---- What pays ---- */

/* No time of a first touch is known, so nothing is gained. */
static void nothing_is_gained(void *unused) {
    enum { HELD_MS = 10, TRIAL_MS = 300 };
    (void)unused;
    has_no_memory = true;
    stats_option_set("purge_delay_ms", "3600000");
    take_blocks();
    begin_a_trial();
    free_blocks(BLOCKS);
    resident_sleep_ms(HELD_MS);
    burst_see(heap_used_bytes_all());
    take_blocks();
    resident_sleep_ms(TRIAL_MS);
    burst_see(heap_used_bytes_all());
    REQUIRE_EQUAL(stats_now().learn_kept, 0);
    REQUIRE_EQUAL(stats_now().learn_taken_back, 1);
}

static void test_nothing_is_gained_without_a_time(void **state) {
    (void)state;
    child_must_succeed(nothing_is_gained, NULL);
}

/* The helper gives all of it back before the trial ends, and sees the end. */
static void age_is_no_gain(void *unused) {
    (void)unused;
    stats_option_set("purge_delay_ms", "200");
    take_blocks();
    begin_a_trial();
    free_blocks(BLOCKS);
    AWAIT_OP(stats_now().learn_taken_back, >=, 1);
    REQUIRE_EQUAL(stats_now().learn_tried, 1);
}

static void test_age_is_no_gain(void **state) {
    (void)state;
    resident_run(age_is_no_gain, NULL);
}

/* ---- Forks ---- */

static void *begin_a_trial_and_hold(void *unused) {
    is_holding = true;
    begin_a_trial();
    return unused;
}

static void learn_anew(void) {
    begin_a_trial();
    REQUIRE_EQUAL(stats_now().learn_tried, 1);
}

static void forks_while_another_learns(void *unused) {
    (void)unused;
    stats_option_set("purge_delay_ms", "3600000");
    take_blocks();
    fork_while_held(&story, begin_a_trial_and_hold, learn_anew);
    REQUIRE_EQUAL(stats_now().learn_tried, 1);
}

static void test_child_of_a_thread_that_learns(void **state) {
    (void)state;
    child_must_succeed(forks_while_another_learns, NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_large_blocks_take_room),
        cmocka_unit_test(test_full_caches_are_demand),
        cmocka_unit_test(test_plain_calls_learn_nothing),
        cmocka_unit_test(test_nothing_is_gained_without_a_time),
        cmocka_unit_test(test_age_is_no_gain),
        cmocka_unit_test(test_child_of_a_thread_that_learns),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
