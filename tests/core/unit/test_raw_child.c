/*
 * unit/test_raw_child.c - a child that was made without the C library's fork hooks, by a raw clone, while no other
 * thread held a lock: whatever else the helper did in its parent, the child can allocate, give back, check, trim,
 * fork, and give back what is old while it is idle. Of several threads of the child one puts right what it has
 * inherited, before any of them purges. Its first slow path is enough for that.
 */
#define _GNU_SOURCE
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "heap/heap_all.h"
#include "platform/os.h"
#include "superslab/metadata.h"
#include "superslab/superslab.h"
#include "support/await.h"
#include "support/blocks.h"
#include "support/resident.h"
#include "support/stats.h"
#include "support/suite.h"
#include "support/threads.h"
#include "unit/raw_fork.h"

enum { BLOCKS = 20000, BLOCK_BYTES = 2000, CHILD_SECONDS_MAX = 30, CHILDREN = 20 };
static void *blocks[BLOCKS];

static void build_and_drop(void) { blocks_churn(blocks, BLOCKS, BLOCK_BYTES); }

static void start_helper(void) {
    build_and_drop();
    for (unsigned tries = 0; resident_thread_count() < 2 && tries < 1000; tries++) {
        build_and_drop();
        resident_sleep_ms(1);
    }
    REQUIRE_AT_LEAST(resident_thread_count(), 2);
}

static void live_in_child(void) {
    alarm(CHILD_SECONDS_MAX);
    REQUIRE_EQUAL(hak_check(), 0);
    build_and_drop();
    AWAIT_AT_MOST(stats_now().free_resident_bytes, 4 * MIB + stats_now().live_bytes / 20);
    pid_t grandchild = fork();
    if (grandchild == 0) {
        alarm(CHILD_SECONDS_MAX);
        build_and_drop();
        REQUIRE_EQUAL(hak_check(), 0);
        _exit(0);
    }
    require_child_succeeds(grandchild);
    (void)hak_trim();
    REQUIRE_EQUAL(hak_check(), 0);
    _exit(0);
}

static void test_child_of_raw_clone(void **state) {
    (void)state;
    if (resident_is_distorted()) skip();
    for (unsigned number = 0; number < CHILDREN; number++) {
        start_helper();
        pid_t child = raw_fork();
        REQUIRE(child >= 0);
        if (child == 0) live_in_child();
        require_child_succeeds(child);
    }
}

/* The same with the C library's malloc, which has no thread: hakmem's child lives as this one does. */
static void live_on_stock(void) {
    alarm(CHILD_SECONDS_MAX);
    for (size_t index = 0; index < BLOCKS; index++) REQUIRE((blocks[index] = malloc(BLOCK_BYTES)) != NULL);
    for (size_t index = 0; index < BLOCKS; index++) free(blocks[index]);
    pid_t grandchild = fork();
    if (grandchild == 0) {
        free(malloc(BLOCK_BYTES));
        _exit(0);
    }
    require_child_succeeds(grandchild);
    _exit(0);
}

static void test_child_of_raw_clone_on_stock(void **state) {
    (void)state;
    if (resident_is_distorted()) skip();
    pid_t child = (pid_t)syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, NULL);
    REQUIRE(child >= 0);
    if (child == 0) live_on_stock();
    require_child_succeeds(child);
}

/* Its parent left all up to the burst bound to the helper, and the child never exceeds that by itself. */
static void test_child_with_little_work(void **state) {
    (void)state;
    enum { LARGE_BYTES = 100000 };
    if (resident_is_distorted()) skip();
    stats_option_set("purge_delay_ms", "100");
    start_helper();
    pid_t child = raw_fork();
    REQUIRE(child >= 0);
    if (child == 0) {
        alarm(CHILD_SECONDS_MAX);
        REQUIRE_AT_LEAST(stats_now().free_resident_bytes, 5 * MIB);
        hak_free(memset(hak_malloc(LARGE_BYTES), 1, LARGE_BYTES));
        for (unsigned tries = 0; stats_now().free_resident_bytes > 4 * MIB && tries < 100; tries++)
            resident_sleep_ms(50);
        REQUIRE_AT_MOST(stats_now().free_resident_bytes, 4 * MIB);
        _exit(0);
    }
    require_child_succeeds(child);
}

/* The first request of the child is what hangs in a lock or waits for a thread that is not there. */
static void test_each_first_request(void **state) {
    (void)state;
    if (resident_is_distorted()) skip();
    for (unsigned request = 0; request < 5; request++) {
        start_helper();
        pid_t child = raw_fork();
        REQUIRE(child >= 0);
        if (child == 0) {
            alarm(CHILD_SECONDS_MAX);
            if (request == 0) hak_quiesce_begin();
            if (request == 1) REQUIRE_EQUAL(hak_check(), 0);
            if (request == 2) (void)hak_trim();
            if (request == 3) stats_option_set("purge_delay_ms", "100");
            if (request == 4 && fork() == 0) _exit(0);
            _exit(0);
        }
        require_child_succeeds(child);
    }
}

/* Its parent was purging. */
static pid_t raw_fork_in_purge(void) {
    start_helper();
    atomic_fetch_add(&detached_count, 1);
    pid_t child = raw_fork();
    REQUIRE(child >= 0);
    if (child == 0)
        alarm(CHILD_SECONDS_MAX);
    else
        atomic_fetch_sub(&detached_count, 1);
    return child;
}

static void test_trim_puts_right_first(void **state) {
    (void)state;
    if (resident_is_distorted()) skip();
    pid_t child = raw_fork_in_purge();
    if (child == 0) {
        (void)hak_trim();
        REQUIRE_EQUAL(detached_count, 0);
        _exit(0);
    }
    require_child_succeeds(child);
}

static _Atomic bool has_trimmed;

static void *trim(void *unused) {
    (void)hak_trim();
    has_trimmed = true;
    return unused;
}

static void test_other_threads_wait(void **state) {
    (void)state;
    if (resident_is_distorted()) skip();
    pid_t child = raw_fork_in_purge();
    if (child == 0) {
        REQUIRE(os_process_claim_inherited());
        pthread_t thread = threads_start(trim, NULL);
        resident_sleep_ms(50);
        REQUIRE(!has_trimmed);
        os_process_claim_end();
        threads_join(thread);
        REQUIRE(!os_process_claim_inherited());
        _exit(0);
    }
    require_child_succeeds(child);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_child_of_raw_clone),     cmocka_unit_test(test_child_of_raw_clone_on_stock),
        cmocka_unit_test(test_child_with_little_work), cmocka_unit_test(test_each_first_request),
        cmocka_unit_test(test_trim_puts_right_first),  cmocka_unit_test(test_other_threads_wait),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
