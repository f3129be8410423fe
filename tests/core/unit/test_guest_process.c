/*
 * unit/test_guest_process.c - a process that runs in the memory of another one (vfork, clone with CLONE_VM) and
 * allocates there: the helper is never a thread of it, since it would end with it. And where the process that had the
 * helper has ended first, nobody waits for it, also where the helper had no time to begin.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/blocks.h"
#include "support/resident.h"
#include "support/stats.h"
#include "support/suite.h"

enum { BLOCKS = 20000, BLOCK_BYTES = 2000, STACK_BYTES = 1 << 20, SECONDS_MAX = 30 };

static void *blocks[BLOCKS];
static char stack[STACK_BYTES] __attribute__((aligned(16)));
static volatile size_t threads_of_guest;
static int owner_has_ended[2]; /* a pipe */

/* ---- When the helper begins ---- */

typedef void *(*ThreadMain)(void *context);

enum { LATE_MS = 1500 };   /* later than a guest waits */
static ThreadMain instead; /* of the next thread's own function, which is kept below */
static ThreadMain helper_main;

static void *begin_never(void *unused) {
    while (pause() < 0) continue;
    return unused;
}

static void *begin_late(void *context) {
    resident_sleep_ms(LATE_MS);
    return helper_main(context);
}

int __real_pthread_create(pthread_t *thread, const pthread_attr_t *attributes, ThreadMain run, void *context);
int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes, ThreadMain run, void *context);
int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes, ThreadMain run, void *context) {
    helper_main = run;
    return __real_pthread_create(thread, attributes, instead != NULL ? instead : run, context);
}

/* ---- The processes ---- */

static void build_and_drop(void) { blocks_churn(blocks, BLOCKS, BLOCK_BYTES); }

static void await_helper(void) {
    for (unsigned tries = 0; resident_thread_count() < 2 && tries < 1000; tries++) build_and_drop();
    REQUIRE_AT_LEAST(resident_thread_count(), 2);
}

static _Noreturn void end_guest(int code) {
    for (;;) (void)syscall(SYS_exit_group, code);
}

static int allocate_as_guest(void *unused) {
    (void)unused;
    build_and_drop();
    threads_of_guest = resident_thread_count();
    end_guest(0);
}

static void require_succeeds(pid_t child) {
    int status;
    REQUIRE(child > 0);
    REQUIRE_EQUAL(waitpid(child, &status, 0), child);
    REQUIRE_EQUAL(status, 0);
}

static void test_helper_is_not_of_the_guest(void **state) {
    (void)state;
    const int flags[] = {CLONE_VM | CLONE_VFORK, CLONE_VM};
    if (resident_is_distorted()) skip();
    hak_free(hak_malloc(1));
    alarm(SECONDS_MAX);
    for (size_t number = 0; number < sizeof flags / sizeof *flags; number++) {
        hak_quiesce_begin(); /* no helper is there */
        REQUIRE_EQUAL(hak_quiesce_end(), 0);
        require_succeeds(clone(allocate_as_guest, stack + STACK_BYTES, flags[number] | SIGCHLD, NULL));
        REQUIRE_EQUAL(threads_of_guest, 1);
        REQUIRE_EQUAL(hak_check(), 0);
        await_helper();
    }
    pid_t child = fork();
    if (child == 0) {
        alarm(SECONDS_MAX);
        await_helper();
        _exit(0);
    }
    require_succeeds(child);
    alarm(0);
}

static int check_without_owner(void *unused) {
    char byte;
    (void)unused;
    alarm(SECONDS_MAX);
    if (read(owner_has_ended[0], &byte, 1) != 1) end_guest(1);
    if (hak_check() != 0) end_guest(1);
    build_and_drop();
    hak_quiesce_begin();
    end_guest(hak_quiesce_end());
}

static void require_guest_outlives_owner(void) {
    if (resident_is_distorted()) skip();
    REQUIRE_EQUAL(pipe(owner_has_ended), 0);
    stats_option_set("purge_delay_ms", "3600000");
    pid_t owner = fork();
    if (owner == 0) {
        await_helper();
        pid_t guest = clone(check_without_owner, stack + STACK_BYTES, CLONE_VM | CLONE_PARENT | SIGCHLD, NULL);
        _exit(guest > 0 ? 0 : 1);
    }
    require_succeeds(owner);
    REQUIRE_EQUAL(write(owner_has_ended[1], "x", 1), 1);
    int status; /* of the guest, which is this process's child, too */
    REQUIRE(wait(&status) > 0);
    REQUIRE_EQUAL(status, 0);
    (void)close(owner_has_ended[0]);
    (void)close(owner_has_ended[1]);
}

static void test_owner_ends_first(void **state) {
    (void)state;
    require_guest_outlives_owner();
}

static void test_owner_ends_before_helper_begins(void **state) {
    (void)state;
    instead = begin_never;
    require_guest_outlives_owner();
    instead = NULL;
}

static void test_own_late_helper_is_awaited(void **state) {
    (void)state;
    if (resident_is_distorted()) skip();
    hak_quiesce_begin();
    REQUIRE_EQUAL(hak_quiesce_end(), 0);
    instead = begin_late;
    await_helper();
    hak_quiesce_begin();
    REQUIRE_EQUAL(resident_thread_count(), 1);
    REQUIRE_EQUAL(hak_quiesce_end(), 0);
    instead = NULL;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_helper_is_not_of_the_guest),
        cmocka_unit_test(test_owner_ends_first),
        cmocka_unit_test(test_owner_ends_before_helper_begins),
        cmocka_unit_test(test_own_late_helper_is_awaited),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
