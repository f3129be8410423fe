/*
 * return/test_burst_learned.c - a process that builds and drops over and over takes its memory from the kernel once;
 * what it holds for that is limited, can be seen, frozen and set, and goes when the process falls idle.
 */
#include <sys/wait.h>
#include <unistd.h>

#include "support/await.h"
#include "support/blocks.h"
#include "support/child.h"
#include "support/resident.h"
#include "support/stats.h"
#include "support/suite.h"
#include "support/threads.h"

/* Of small blocks and of large ones. 16 MiB is what may be free without a learner. */
enum {
    BUILT_MIB = 48,
    FIXED_MIB = 16,
    SMALL_BYTES = 1200,
    LARGE_BYTES = 300 << 10,
    SMALL_MAGAZINE_BYTES = 20000,
    WORKERS = 3,
    BLOCKS_MAX = 48000
};
enum { LEARNING_ROUNDS = 4, ROUNDS = 20, TRIAL_MS = 300 };

static void *blocks[WORKERS + 1][BLOCKS_MAX];

static void churn(size_t bytes, unsigned rounds) {
    for (unsigned round = 0; round < rounds; round++) blocks_churn(blocks[WORKERS], BUILT_MIB * MIB / bytes, bytes);
}

/* Kernel pages that were backed by a page fault, as MiB. */
static size_t faulted_mib(void) { return resident_page_faults() * (size_t)sysconf(_SC_PAGESIZE) / MIB; }

static size_t faulted_mib_by_churn(size_t bytes, unsigned rounds) {
    size_t before_mib = faulted_mib();
    churn(bytes, rounds);
    return faulted_mib() - before_mib;
}

/* Rounds on a busy machine are slow: what they miss counts for as long as free memory may stay. */
static void begin(void) { stats_option_set("purge_delay_ms", "1000"); }

static bool learns_nothing_here(void) { return resident_is_distorted() || stats_are_of_guarded_blocks(); }

static void learn(size_t bytes) {
    begin();
    churn(bytes, LEARNING_ROUNDS);
    hak_stats_t stats = stats_now();
    REQUIRE_AT_LEAST(stats.learn_tried, 1);
    REQUIRE_AT_LEAST(stats.regret_bytes_total, MIB);
    REQUIRE_AT_LEAST(stats.burst_bound_bytes, (BUILT_MIB - 8) * MIB);
}

/* ---- It learns ---- */

static void learns_of_blocks(void *bytes_pointer) {
    size_t bytes = *(size_t *)bytes_pointer;
    learn(bytes);
    REQUIRE_AT_MOST(faulted_mib_by_churn(bytes, ROUNDS), BUILT_MIB);
    for (unsigned tries = 0; stats_now().learn_kept == 0 && tries < TRIAL_MS; tries++) churn(bytes, 1);
    REQUIRE_AT_LEAST(stats_now().learn_kept, 1);
    REQUIRE_AT_MOST(stats_now().learn_tried, 3);
}

static void test_churn_is_served_from_what_stayed(void **state) {
    (void)state;
    static size_t sizes[] = {SMALL_BYTES, LARGE_BYTES};
    if (learns_nothing_here()) skip();
    for (size_t index = 0; index < sizeof sizes / sizeof *sizes; index++)
        child_must_succeed(learns_of_blocks, &sizes[index]);
}

static void churn_in_worker(void *unused, size_t worker) {
    (void)unused;
    size_t count = BUILT_MIB / WORKERS * 2 * MIB / SMALL_BYTES;
    for (unsigned round = 0; round < LEARNING_ROUNDS + ROUNDS; round++)
        blocks_churn(blocks[worker], count, SMALL_BYTES);
}

static void learns_of_threads(void *unused) {
    (void)unused;
    begin();
    size_t before_mib = faulted_mib();
    threads_run(WORKERS, churn_in_worker, NULL);
    size_t all_mib = 2 * BUILT_MIB * (LEARNING_ROUNDS + ROUNDS);
    REQUIRE_AT_MOST(faulted_mib() - before_mib, all_mib / 3);
    REQUIRE_EQUAL(hak_check(), 0);
}

static void test_threads(void **state) {
    (void)state;
    if (learns_nothing_here()) skip();
    child_must_succeed(learns_of_threads, NULL);
}

static void in_a_fork(void *unused) {
    (void)unused;
    learn(SMALL_BYTES);
    pid_t child = fork();
    REQUIRE(child >= 0);
    if (child == 0) {
        uint64_t regret_bytes = stats_now().regret_bytes_total, tried = stats_now().learn_tried;
        churn(SMALL_BYTES, LEARNING_ROUNDS);
        REQUIRE_AT_MOST(stats_now().regret_bytes_total, regret_bytes + 8 * MIB);
        REQUIRE_AT_MOST(stats_now().learn_tried, tried + 1);
        _exit(0);
    }
    int status;
    REQUIRE_EQUAL(waitpid(child, &status, 0), child);
    REQUIRE_EQUAL(status, 0);
}

static void test_child_has_what_its_parent_learned(void **state) {
    (void)state;
    if (learns_nothing_here()) skip();
    child_must_succeed(in_a_fork, NULL);
}

/* ---- What it holds ---- */

/* What the process used within the last second, an eighth of it, and what lies in caches. */
static void stays_within_demand(void *unused) {
    (void)unused;
    begin();
    size_t before_bytes = resident_bytes();
    for (unsigned round = 0; round < ROUNDS; round++) {
        churn(SMALL_BYTES, 1);
        REQUIRE_AT_MOST(resident_bytes(), before_bytes + (BUILT_MIB + 16) * MIB);
    }
}

/* What blocks of slabs left does not serve mappings, nor theirs those blocks: what is free goes while the others grow,
 * but for the fixed bound. */
static void stays_within_demand_of_both(void *slab_bytes) {
    enum { MAPPED_BYTES = 4 << 20 };
    size_t block_bytes = *(size_t *)slab_bytes;
    learn(block_bytes);
    size_t before_bytes = resident_bytes() - stats_now().free_resident_bytes;
    for (unsigned round = 0; round < ROUNDS; round++) {
        size_t bytes = round % 2 == 0 ? MAPPED_BYTES : block_bytes, count = BUILT_MIB * MIB / bytes;
        blocks_take(blocks[WORKERS], count, bytes);
        REQUIRE_AT_MOST(resident_bytes(), before_bytes + (BUILT_MIB + FIXED_MIB + 8) * MIB);
        blocks_free(blocks[WORKERS], count);
    }
}

static void test_process_is_no_larger_than_it_was(void **state) {
    (void)state;
    if (learns_nothing_here()) skip();
    child_must_succeed(stays_within_demand, NULL);
    static size_t sizes[] = {SMALL_BYTES, SMALL_MAGAZINE_BYTES};
    for (size_t index = 0; index < sizeof sizes / sizeof *sizes; index++)
        child_must_succeed(stays_within_demand_of_both, &sizes[index]);
}

static void falls_idle(void *unused) {
    (void)unused;
    learn(SMALL_BYTES);
    stats_option_set("purge_delay_ms", "250");
    AWAIT_AT_MOST(stats_now().free_resident_bytes, 5 * MIB);
    AWAIT_AT_MOST(stats_now().burst_bound_bytes, FIXED_MIB * MIB);
}

static void is_trimmed(void *unused) {
    (void)unused;
    learn(SMALL_BYTES);
    REQUIRE_AT_LEAST(stats_now().free_resident_bytes, (BUILT_MIB - 8) * MIB);
    REQUIRE_AT_LEAST(hak_trim(), (BUILT_MIB - 8) * MIB);
    REQUIRE_AT_MOST(stats_now().free_resident_bytes, MIB);
}

static void test_it_goes(void **state) {
    (void)state;
    if (learns_nothing_here()) skip();
    child_must_succeed(falls_idle, NULL);
    child_must_succeed(is_trimmed, NULL);
}

/* From the first round on, without a trial: what the last second used is the bound. */
static void holds_what_was_used(void *unused) {
    (void)unused;
    begin();
    stats_option_set("learn", "window");
    REQUIRE_AT_MOST(faulted_mib_by_churn(SMALL_BYTES, ROUNDS), BUILT_MIB * 3 / 2);
    REQUIRE_AT_LEAST(stats_now().burst_bound_bytes, (BUILT_MIB - 8) * MIB);
    stats_option_set("purge_delay_ms", "250");
    AWAIT_AT_MOST(stats_now().free_resident_bytes, 5 * MIB);
}

static void test_window(void **state) {
    (void)state;
    if (learns_nothing_here()) skip();
    child_must_succeed(holds_what_was_used, NULL);
}

/* ---- What stops it ---- */

static void require_fixed(void) {
    REQUIRE_AT_LEAST(faulted_mib_by_churn(SMALL_BYTES, ROUNDS), ROUNDS * (BUILT_MIB - FIXED_MIB) / 2);
    REQUIRE_AT_MOST(stats_now().burst_bound_bytes, FIXED_MIB * MIB);
}

static void stops_by_option(void *option_pointer) {
    const char *const *option = option_pointer;
    begin();
    stats_option_set(option[0], option[1]);
    require_fixed();
    REQUIRE_EQUAL(stats_now().learn_tried, 0);
    REQUIRE_EQUAL(stats_now().regret_bytes_total, 0);
}

/* Without a helper there is no burst bound: nothing is held, so nothing is learned. */
static void stops_without_helper(void *unused) {
    (void)unused;
    begin();
    hak_quiesce_begin();
    churn(SMALL_BYTES, ROUNDS);
    REQUIRE_EQUAL(stats_now().learn_tried, 0);
    REQUIRE_EQUAL(stats_now().regret_bytes_total, 0);
    REQUIRE_EQUAL(hak_quiesce_end(), 0);
    learn(SMALL_BYTES);
}

static void stops_while_running(void *unused) {
    (void)unused;
    learn(SMALL_BYTES);
    stats_option_set("learn", "0");
    require_fixed();
    stats_option_set("learn", "burst");
    REQUIRE_AT_MOST(faulted_mib_by_churn(SMALL_BYTES, ROUNDS), 4 * BUILT_MIB);
}

static void test_options_stop_it(void **state) {
    (void)state;
    static const char *options[][2] = {
        {"learn", "0"}, {"learn", "0,burst"}, {"retain_burst_bytes", "16777216"}, {"retain_burst_percent", "25"}};
    if (learns_nothing_here()) skip();
    for (size_t index = 0; index < sizeof options / sizeof *options; index++)
        child_must_succeed(stops_by_option, options[index]);
    child_must_succeed(stops_while_running, NULL);
    child_must_succeed(stops_without_helper, NULL);
}

int main(void) {
    if (setenv("HAKMEM_THP", "never", 1) != 0) return 1; /* huge pages need few page faults; read at the first call */
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_churn_is_served_from_what_stayed),
        cmocka_unit_test(test_threads),
        cmocka_unit_test(test_child_has_what_its_parent_learned),
        cmocka_unit_test(test_process_is_no_larger_than_it_was),
        cmocka_unit_test(test_it_goes),
        cmocka_unit_test(test_window),
        cmocka_unit_test(test_options_stop_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
