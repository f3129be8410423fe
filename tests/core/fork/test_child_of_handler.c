/*
 * fork/test_child_of_handler.c - a signal handler forks where it has interrupted its thread within the core, or within
 * another fork. Nobody waits for a lock that this thread holds, and a child that goes on there can allocate.
 *
 * A child inherits no timer, so no handler runs in it.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/child.h"
#include "support/random.h"
#include "support/stats.h"
#include "support/suite.h"

enum { BLOCKS = 500, BYTES_MAX = 70000, DELAY_US_MAX = 1000, HANDLED = 300 };

static volatile sig_atomic_t handled_count, is_child_of_handler;
static volatile enum { ENDS, ENDS_BY_EXIT, GOES_ON } what_child_does;
static char *blocks[BLOCKS];

/* Where a child of the handler's goes on after a fork, the parent's child is none of its own. */
static void wait_for_success(pid_t pid) {
    int status = 0;
    REQUIRE(pid > 0);
    while (waitpid(pid, &status, 0) < 0) {
        if (is_child_of_handler && errno == ECHILD) return;
        REQUIRE_EQUAL(errno, EINTR);
    }
    REQUIRE_EQUAL(status, 0);
}

static void fork_in_handler(int number) {
    (void)number;
    int saved = errno;
    pid_t pid = fork();
    if (pid == 0) {
        if (what_child_does == ENDS) _exit(0);
        if (what_child_does == ENDS_BY_EXIT) exit(0); /* which flushes what this thread has in hand */
        is_child_of_handler = 1;
    } else {
        wait_for_success(pid);
    }
    handled_count++;
    errno = saved;
}

static void allocate_and_free(Random *random, unsigned rounds) {
    for (unsigned round = 0; round < rounds; round++) {
        size_t slot = random_below(random, BLOCKS);
        hak_free(blocks[slot]);
        blocks[slot] = hak_malloc(1 + random_below(random, BYTES_MAX));
        REQUIRE(blocks[slot] != NULL);
    }
}

static void fork_while_handlers_fork(void *unused) {
    (void)unused;
    Random random = random_start(random_seed());
    struct sigaction action = {.sa_handler = fork_in_handler};
    /* A thread more, and the C library waits for its own fork's lock. musl does not say whether there was one. */
    stats_option_set("first_thread_bytes", "1073741824");
#if !defined(__GLIBC__)
    stats_option_set("purge_delay_ms", "0");
#endif
    REQUIRE_EQUAL(sigaction(SIGALRM, &action, NULL), 0);
    while (handled_count < HANDLED && !is_child_of_handler) {
        /* Once: with an interval below the handler's time nothing else would run. */
        const struct itimerval once = {.it_value = {0, 1 + (long)random_below(&random, DELAY_US_MAX)}};
        REQUIRE_EQUAL(setitimer(ITIMER_REAL, &once, NULL), 0);
        allocate_and_free(&random, 20);
        pid_t pid = fork();
        if (pid == 0) {
            allocate_and_free(&random, 20);
            _exit(0);
        }
        wait_for_success(pid);
    }
    allocate_and_free(&random, 200);
    for (size_t slot = 0; slot < BLOCKS; slot++) hak_free(blocks[slot]);
    REQUIRE_EQUAL(hak_check(), 0);
    if (is_child_of_handler) _exit(0);
}

static void test_child_of_a_handler_ends(void **state) {
    (void)state;
    what_child_does = ENDS;
    child_must_succeed(fork_while_handlers_fork, NULL);
}

static void test_child_of_a_handler_ends_by_exit(void **state) {
    (void)state;
    what_child_does = ENDS_BY_EXIT;
    fflush(NULL); /* else each child prints it once more */
    child_must_succeed(fork_while_handlers_fork, NULL);
}

static void test_child_of_a_handler_goes_on(void **state) {
    (void)state;
    what_child_does = GOES_ON;
    child_must_succeed(fork_while_handlers_fork, NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_child_of_a_handler_ends),
        cmocka_unit_test(test_child_of_a_handler_ends_by_exit),
        cmocka_unit_test(test_child_of_a_handler_goes_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
