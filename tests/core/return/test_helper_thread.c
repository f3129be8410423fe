/*
 * return/test_helper_thread.c - the helper is a thread that others can see: a program can ask for none
 * (hak_quiesce_begin), it has a scheduling policy and processors of its own, and it ends where nothing can be given
 * back.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/await.h"
#include "support/blocks.h"
#include "support/child.h"
#include "support/resident.h"
#include "support/stats.h"
#include "support/suite.h"
#include "support/threads.h"

enum { BLOCKS = 20000, BLOCK_BYTES = 2000 };
static void *blocks[BLOCKS];

static void build_and_drop(void) { blocks_churn(blocks, BLOCKS, BLOCK_BYTES); }

/* Between two looks at free memory the helper sleeps. On a busy machine it could otherwise have given back all, and
 * have ended, before the test sees it. */
static void let_helper_sleep(void) { stats_option_set("purge_delay_ms", "3600000"); }
static void let_helper_work(void) { stats_option_set("purge_delay_ms", "40"); }

static void start_helper(void) {
    let_helper_sleep();
    build_and_drop();
    AWAIT_EQUAL(resident_thread_count(), 2);
}

/* ---- Quiesce ---- */

static void quiesce_nests(void *unused) {
    (void)unused;
    REQUIRE_EQUAL(hak_quiesce_end(), EINVAL);
    start_helper();
    hak_quiesce_begin();
    REQUIRE_EQUAL(resident_thread_count(), 1);
    hak_quiesce_begin();
    for (unsigned round = 0; round < 3; round++) {
        build_and_drop();
        REQUIRE_EQUAL(resident_thread_count(), 1);
        REQUIRE_AT_MOST(stats_now().free_resident_bytes, 5 * MIB); /* the idle bound is kept all the same */
    }
    REQUIRE_EQUAL(hak_quiesce_end(), 0);
    build_and_drop();
    REQUIRE_EQUAL(resident_thread_count(), 1);
    REQUIRE_EQUAL(hak_quiesce_end(), 0);
    REQUIRE_EQUAL(hak_quiesce_end(), EINVAL);
    start_helper();
}

static void namespaces_can_be_left(void *unused) {
    (void)unused;
    start_helper();
    REQUIRE_EQUAL(unshare(CLONE_NEWUSER), -1); /* a process with two threads */
    REQUIRE_EQUAL(errno, EINVAL);
    hak_quiesce_begin();
    if (unshare(CLONE_NEWUSER) != 0) REQUIRE(errno == EPERM || errno == ENOSPC); /* not allowed here at all */
    REQUIRE_EQUAL(hak_quiesce_end(), 0);
    start_helper();
}

static void quiesced_across_fork(void *unused) {
    (void)unused;
    start_helper();
    hak_quiesce_begin();
    pid_t child = fork();
    if (child == 0) {
        build_and_drop();
        REQUIRE_EQUAL(resident_thread_count(), 1);
        REQUIRE_EQUAL(hak_quiesce_end(), 0);
        start_helper();
        _exit(0);
    }
    int status;
    REQUIRE_EQUAL(waitpid(child, &status, 0), child);
    REQUIRE_EQUAL(status, 0);
    build_and_drop();
    REQUIRE_EQUAL(resident_thread_count(), 1);
    REQUIRE_EQUAL(hak_quiesce_end(), 0);
}

static void test_quiesce(void **state) {
    (void)state;
    resident_run(quiesce_nests, NULL);
    child_must_succeed(namespaces_can_be_left, NULL);
    child_must_succeed(quiesced_across_fork, NULL);
}

/* ---- Scheduling: of one thread, which musl's functions refuse, since POSIX means the process's ---- */

static pid_t other_thread(void) {
    pid_t found = 0;
    DIR *tasks = opendir("/proc/self/task");
    REQUIRE(tasks != NULL);
    for (struct dirent *entry; (entry = readdir(tasks)) != NULL;)
        if (atoi(entry->d_name) != 0 && atoi(entry->d_name) != getpid() &&
            atoi(entry->d_name) != (int)syscall(SYS_gettid))
            found = atoi(entry->d_name);
    (void)closedir(tasks);
    return found;
}

static bool has_processors_of_process(pid_t thread) {
    cpu_set_t of_process, of_thread;
    REQUIRE_EQUAL(sched_getaffinity(getpid(), sizeof of_process, &of_process), 0);
    REQUIRE_EQUAL(sched_getaffinity(thread, sizeof of_thread, &of_thread), 0);
    return CPU_EQUAL(&of_process, &of_thread);
}

static void *free_much_on_one_processor(void *is_real_time) {
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(0, &one);
    (void)sched_setaffinity(0, sizeof one, &one);
    struct sched_param priority = {.sched_priority = 1};
    *(bool *)is_real_time = syscall(SYS_sched_setscheduler, 0, SCHED_FIFO, &priority) == 0;
    let_helper_sleep();
    build_and_drop();
    AWAIT_EQUAL(resident_thread_count(), 3);
    pid_t helper = other_thread();
    REQUIRE(helper != 0);
    AWAIT_EQUAL(syscall(SYS_sched_getscheduler, helper), SCHED_OTHER);
    AWAIT_EQUAL(has_processors_of_process(helper), true);
    return NULL;
}

static void helper_has_its_own_scheduling(void *unused) {
    (void)unused;
    bool is_real_time = false;
    pthread_t thread = threads_start(free_much_on_one_processor, &is_real_time);
    REQUIRE_EQUAL(pthread_join(thread, NULL), 0);
    if (!is_real_time) print_message("real-time scheduling is not allowed here\n");
}

static void test_scheduling(void **state) {
    (void)state;
    resident_run(helper_has_its_own_scheduling, NULL);
}

/* ---- mlockall ---- */

enum { SURVIVORS = 400, BLOCKS_PER_SURVIVOR = BLOCKS / SURVIVORS };
static void *survivors[SURVIVORS];

/* SuperSlabs with a survivor cannot be unmapped, which mlockall would allow. */
static void build_and_drop_all_but_survivors(void) {
    blocks_take(blocks, BLOCKS, BLOCK_BYTES);
    for (size_t index = 0; index < SURVIVORS; index++) {
        hak_free(survivors[index]);
        survivors[index] = blocks[index * BLOCKS_PER_SURVIVOR];
        blocks[index * BLOCKS_PER_SURVIVOR] = NULL;
    }
    blocks_free(blocks, BLOCKS);
}

static void helper_ends_under_mlockall(void *unused) {
    (void)unused;
    let_helper_sleep();
    if (mlockall(MCL_CURRENT | MCL_FUTURE) != 0) return; /* not allowed here */
    build_and_drop_all_but_survivors();
    REQUIRE_AT_LEAST(stats_now().free_resident_bytes, 10 * MIB);
    AWAIT_EQUAL(resident_thread_count(), 2);
    let_helper_work();
    AWAIT_EQUAL(resident_thread_count(), 1);
    REQUIRE_AT_LEAST(stats_now().free_resident_bytes, 10 * MIB);
    for (unsigned round = 0; round < 3; round++) build_and_drop_all_but_survivors();
    REQUIRE_EQUAL(resident_thread_count(), 1); /* it does not come again for a while */
    REQUIRE_EQUAL(munlockall(), 0);
    (void)hak_trim();
    REQUIRE_AT_MOST(stats_now().free_resident_bytes, MIB);
    REQUIRE_EQUAL(hak_check(), 0);
}

static void test_mlockall(void **state) {
    (void)state;
    resident_run(helper_ends_under_mlockall, NULL);
}

/* ---- A process that never had a thread ---- */

#ifndef __GLIBC_PREREQ /* another C library */
#define __GLIBC_PREREQ(major, minor) 0
#endif

#if __GLIBC_PREREQ(2, 32)

static void drop_from(size_t count, size_t kept_interval) {
    blocks_take(blocks, count, BLOCK_BYTES);
    for (size_t index = 0; index < count; index++)
        if (index % kept_interval != 0) hak_free(blocks[index]);
    hak_thread_flush();
}

/* 6 MB are above the idle bound, and not worth it; the OS pages go with a later poll. 40 MB are. */
static void little_is_not_worth_a_thread(void *unused) {
    enum { FIRST_THREAD_BYTES = 4 << 20, IDLE_BOUND_BYTES = 4 << 20, FEW = 3000, KEPT_INTERVAL = 300 };
    (void)unused;
    stats_option_set("first_thread_bytes", "4194304");
    drop_from(FEW, KEPT_INTERVAL);
    REQUIRE_AT_LEAST(stats_checked().free_resident_bytes, IDLE_BOUND_BYTES);
    resident_sleep_ms(600);
    REQUIRE_EQUAL(resident_thread_count(), 1);
    REQUIRE(stats_checked().free_resident_bytes <= IDLE_BOUND_BYTES + FIRST_THREAD_BYTES + (1 << 20));
    start_helper();
    let_helper_work();
    AWAIT_AT_MOST(stats_checked().free_resident_bytes, IDLE_BOUND_BYTES + (1 << 20));
}

static void any_excess_is_worth_a_helper(void *unused) {
    (void)unused;
    let_helper_sleep();
    drop_from(BLOCKS / 6, BLOCKS / 60);
    AWAIT_EQUAL(resident_thread_count(), 2);
}

static void test_first_thread(void **state) {
    (void)state;
    resident_run(little_is_not_worth_a_thread, NULL);
    child_must_succeed(any_excess_is_worth_a_helper, NULL);
}

#else /* the C library does not tell */

static void test_first_thread(void **state) {
    (void)state;
    skip();
}

#endif

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_quiesce),
        cmocka_unit_test(test_scheduling),
        cmocka_unit_test(test_mlockall),
        cmocka_unit_test(test_first_thread),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
