/*
 * return/test_idle_process.c - a process that makes no request any more keeps its retain bound, whatever stopped the
 * helper or changed the bound meanwhile.
 */
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "support/await.h"
#include "support/child.h"
#include "support/resident.h"
#include "support/stats.h"
#include "support/suite.h"

enum { BLOCKS = 12000, BLOCK_BYTES = 4096, KEPT_EVERY = 4 };

static void *blocks[BLOCKS];

/* 35 MiB free: within the burst bound, above the idle one. */
static void leave_free_bytes_for(const char *delay_ms) {
    stats_option_set("purge_delay_ms", delay_ms);
    stats_option_set("retain_burst_bytes", "1073741824");
    for (size_t number = 0; number < BLOCKS; number++) memset(blocks[number] = hak_malloc(BLOCK_BYTES), 1, BLOCK_BYTES);
    for (size_t number = 0; number < BLOCKS; number++)
        if (number % KEPT_EVERY != 0) hak_free(blocks[number]);
    hak_thread_flush();
    REQUIRE_AT_LEAST(stats_now().free_resident_bytes, 30 * MIB);
}

static void leave_free_bytes(void) { leave_free_bytes_for("200"); }

static void free_all(void) {
    for (size_t number = 0; number < BLOCKS; number += KEPT_EVERY) hak_free(blocks[number]);
}

static void require_given_back(void) { AWAIT_AT_MOST(stats_now().free_resident_bytes, 8 * MIB); }

static void after_a_fork(void *unused) {
    (void)unused;
    leave_free_bytes();
    pid_t child = fork();
    REQUIRE(child >= 0);
    bool has_other_threads = resident_is_distorted(); /* a sanitizer's, an emulator's */
    /* CPython warns of a fork beside other threads. */
    if (child > 0 && !has_other_threads) REQUIRE_EQUAL(resident_thread_count(), 1);
    require_given_back();
    if (child == 0) _exit(0);
    int status;
    REQUIRE_EQUAL(waitpid(child, &status, 0), child);
    REQUIRE_EQUAL(status, 0);
}

static uint64_t now_ms(void) {
    struct timespec now;
    REQUIRE_EQUAL(clock_gettime(CLOCK_MONOTONIC, &now), 0);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* What was freed lately stays: the helper polls twice before it looks at it as old. A thread that was held up for long
 * has seen nothing, and tries again. */
static void not_before_its_time(void *unused) {
    (void)unused;
    enum { SLEEP_MS = 1100, IN_TIME_MS = 1400, TRIES_MAX = 20 };
    for (unsigned tries = 0;; tries++) {
        REQUIRE_AT_MOST(tries, TRIES_MAX);
        uint64_t begin_ms = now_ms();
        leave_free_bytes_for("2000");
        resident_sleep_ms(SLEEP_MS);
        uint64_t free_bytes = stats_now().free_resident_bytes;
        bool is_in_time = now_ms() - begin_ms < IN_TIME_MS;
        if (is_in_time) REQUIRE_AT_LEAST(free_bytes, 30 * MIB);
        free_all();
        if (is_in_time) return;
    }
}

static void after_a_check(void *unused) {
    (void)unused;
    leave_free_bytes();
    REQUIRE_EQUAL(hak_check(), 0);
    require_given_back();
}

/* The cache of the thread that forks or checks, which it goes on with, counts. */
static void with_own_cache(void *is_for_check) {
    enum { OLD_BOUND_BYTES = 4 << 20, CACHED_BYTES_MIN = 200000, BLOCKS_OF_A_SIZE = 100 };
    static void *of_a_size[BLOCKS_OF_A_SIZE];
    stats_option_set("retain_percent", "0");
    leave_free_bytes();
    for (size_t bytes = 16; bytes <= 4000; bytes += bytes < 512 ? 16 : bytes / 8) {
        for (size_t number = 0; number < BLOCKS_OF_A_SIZE; number++) of_a_size[number] = hak_malloc(bytes);
        for (size_t number = 0; number < BLOCKS_OF_A_SIZE; number++) hak_free(of_a_size[number]);
    }
    REQUIRE_AT_LEAST(stats_now().cached_bytes, CACHED_BYTES_MIN);
    pid_t child = -1;
    if (*(const bool *)is_for_check)
        REQUIRE_EQUAL(hak_check(), 0);
    else
        child = fork();
    REQUIRE_AT_MOST(stats_now().cached_bytes + stats_now().free_resident_bytes, OLD_BOUND_BYTES);
    if (child == 0) _exit(0);
    int status = 0;
    if (child > 0) REQUIRE_EQUAL(waitpid(child, &status, 0), child);
    REQUIRE_EQUAL(status, 0);
}

/* Each stops the helper before its first look. */
static void beside_checks(void *unused) {
    (void)unused;
    leave_free_bytes();
    for (unsigned checks = 0; checks < 100 && stats_now().free_resident_bytes > 8 * MIB; checks++) {
        resident_sleep_ms(10);
        REQUIRE_EQUAL(hak_check(), 0);
    }
    REQUIRE_AT_MOST(stats_now().free_resident_bytes, 8 * MIB);
}

static void after_the_bound_was_lowered(void *unused) {
    (void)unused;
    stats_option_set("retain_bytes", "1073741824");
    leave_free_bytes();
    resident_sleep_ms(300);
    REQUIRE_AT_LEAST(stats_now().free_resident_bytes, 30 * MIB);
    stats_option_set("retain_bytes", "0");
    require_given_back();
}

static void after_the_delay_was_lowered(void *unused) {
    (void)unused;
    leave_free_bytes();
    stats_option_set("purge_delay_ms", "3600000");
    resident_sleep_ms(300); /* the helper waits for that long, now */
    REQUIRE_AT_LEAST(stats_now().free_resident_bytes, 30 * MIB);
    stats_option_set("purge_delay_ms", "20");
    require_given_back();
}

static void test_after_a_fork(void **state) {
    (void)state;
    child_must_succeed(after_a_fork, NULL);
}

static void test_with_own_cache(void **state) {
    (void)state;
    static bool is_for_check[] = {false, true};
    child_must_succeed(with_own_cache, &is_for_check[0]);
    child_must_succeed(with_own_cache, &is_for_check[1]);
}

static void test_not_before_its_time(void **state) {
    (void)state;
    child_must_succeed(not_before_its_time, NULL);
}

static void test_after_a_check(void **state) {
    (void)state;
    child_must_succeed(after_a_check, NULL);
}

static void test_beside_checks(void **state) {
    (void)state;
    child_must_succeed(beside_checks, NULL);
}

static void test_after_the_bound_was_lowered(void **state) {
    (void)state;
    child_must_succeed(after_the_bound_was_lowered, NULL);
}

static void test_after_the_delay_was_lowered(void **state) {
    (void)state;
    child_must_succeed(after_the_delay_was_lowered, NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_after_a_fork),
        cmocka_unit_test(test_with_own_cache),
        cmocka_unit_test(test_not_before_its_time),
        cmocka_unit_test(test_after_a_check),
        cmocka_unit_test(test_beside_checks),
        cmocka_unit_test(test_after_the_bound_was_lowered),
        cmocka_unit_test(test_after_the_delay_was_lowered),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
