/*
 * fork/test_fork.c - fork from a process whose other threads are allocating: the child allocates, frees blocks of
 * threads that it does not have, forks again, and exits 0. And the helper thread around fork.
 *
 *   HAK_TEST_SCALE=n   n times as many forks
 */
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/child.h"
#include "support/pattern.h"
#include "support/random.h"
#include "support/resident.h"
#include "support/stats.h"
#include "support/suite.h"
#include "support/threads.h"

enum { THREADS = 4, SHARED_SLOTS = 1000, FORKS = 300, SECONDS_MAX = 60 };

typedef struct Shared {
    pthread_mutex_t lock; /* of this test, so that the child knows which blocks are whole */
    char *blocks[SHARED_SLOTS];
    size_t bytes[SHARED_SLOTS];
    _Atomic bool is_over;
} Shared;

static Shared shared = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* Rarely a mapping of its own: a fork copies the page tables of all that is resident. */
static size_t large_bytes_max(Random *random) { return random_below(random, 20) == 0 ? 3 * MIB : 32768; }

static void *allocate_and_free(void *seed) {
    Random random = random_start(*(uint64_t *)seed);
    while (!atomic_load(&shared.is_over)) {
        size_t slot = random_below(&random, SHARED_SLOTS), bytes = 1 + random_size(&random, large_bytes_max(&random));
        char *block = hak_malloc(bytes);
        REQUIRE(block != NULL);
        pattern_fill(block, bytes, slot);
        pthread_mutex_lock(&shared.lock);
        char *former = shared.blocks[slot];
        size_t former_bytes = shared.bytes[slot];
        shared.blocks[slot] = block;
        shared.bytes[slot] = bytes;
        pthread_mutex_unlock(&shared.lock);
        if (former != NULL) REQUIRE(pattern_holds(former, former_bytes, slot));
        hak_free(former);
        for (unsigned number = 0; number < 50; number++) hak_free(hak_malloc(random_below(&random, 2000)));
    }
    return NULL;
}

static void wait_for_success(pid_t pid) {
    int status = 0;
    REQUIRE(pid > 0);
    while (waitpid(pid, &status, 0) < 0) REQUIRE_EQUAL(errno, EINTR);
    REQUIRE_EQUAL(status, 0);
}

static void allocate_some(size_t count) {
    void *blocks[500];
    for (size_t number = 0; number < count; number++) {
        blocks[number] = hak_malloc(number * 37 % 5000);
        REQUIRE(blocks[number] != NULL);
        memset(blocks[number], 0x5A, number * 37 % 5000);
    }
    for (size_t number = 0; number < count; number++) hak_free(blocks[number]);
}

/* A sanitizer may have threads of its own. */
static void require_threads(size_t count) {
    if (!resident_is_distorted()) REQUIRE_EQUAL(resident_thread_count(), count);
}

static void live_in_child(unsigned round) {
    alarm(SECONDS_MAX);
    require_threads(1);
    allocate_some(500);
    for (size_t slot = 0; slot < SHARED_SLOTS; slot++) {
        if (shared.blocks[slot] == NULL) continue;
        REQUIRE(pattern_holds(shared.blocks[slot], shared.bytes[slot], slot));
        hak_free(shared.blocks[slot]);
    }
    allocate_some(500);
    (void)hak_trim();
    if (round % 3 == 0) {
        pid_t pid = fork();
        if (pid == 0) {
            allocate_some(300);
            REQUIRE_EQUAL(hak_check(), 0);
            _exit(0);
        }
        wait_for_success(pid);
    }
    REQUIRE_EQUAL(hak_check(), 0);
}

static void fork_often(void *unused) {
    (void)unused;
    pthread_t threads[THREADS];
    uint64_t seeds[THREADS];
    uint64_t seed = random_seed();
    stats_option_set("purge_delay_ms", "20"); /* the helper comes and goes */
    for (size_t number = 0; number < THREADS; number++) {
        seeds[number] = seed + number;
        threads[number] = threads_start(allocate_and_free, &seeds[number]);
    }
    for (unsigned round = 0; round < FORKS * suite_scale(); round++) {
        alarm(SECONDS_MAX);
        pthread_mutex_lock(&shared.lock);
        pid_t pid = fork();
        if (pid == 0) {
            live_in_child(round);
            _exit(0);
        }
        pthread_mutex_unlock(&shared.lock);
        wait_for_success(pid);
        allocate_some(100);
    }
    atomic_store(&shared.is_over, true);
    for (size_t number = 0; number < THREADS; number++) threads_join(threads[number]);
    for (size_t slot = 0; slot < SHARED_SLOTS; slot++) hak_free(shared.blocks[slot]);
    stats_require_all_returned();
}

static void test_child_of_a_busy_process(void **state) {
    (void)state;
    ChildResult result = child_run(fork_often, NULL);
    child_require_success(&result);
    REQUIRE(strstr(result.errors, "hakmem: ") == NULL);
}

/* Two threads that fork and one that checks, at the same time. */
static void *fork_in_thread(void *unused) {
    (void)unused;
    for (unsigned round = 0; round < 50; round++) {
        pid_t pid = fork();
        if (pid == 0) {
            alarm(SECONDS_MAX);
            require_threads(1);
            allocate_some(200);
            _exit(0);
        }
        wait_for_success(pid);
        void *large = hak_malloc(20 * MIB); /* wakes the helper */
        memset(large, 1, 20 * MIB);
        hak_free(large);
    }
    return NULL;
}

static void *check_in_thread(void *unused) {
    (void)unused;
    while (!atomic_load(&shared.is_over)) REQUIRE_EQUAL(hak_check(), 0);
    return NULL;
}

static void fork_from_two_threads(void *unused) {
    (void)unused;
    stats_option_set("purge_delay_ms", "5");
    pthread_t first = threads_start(fork_in_thread, NULL), second = threads_start(fork_in_thread, NULL);
    pthread_t third = threads_start(check_in_thread, NULL);
    threads_join(first);
    threads_join(second);
    atomic_store(&shared.is_over, true);
    threads_join(third);
}

static void test_two_threads_fork(void **state) {
    (void)state;
    child_must_succeed(fork_from_two_threads, NULL);
}

/* ---- The helper ---- */

static void make_old_free_memory(void) {
    static void *blocks[100000];
    for (size_t number = 0; number < 100000; number++) memset(blocks[number] = hak_malloc(256), 1, 256);
    for (size_t number = 0; number < 100000; number++) hak_free(blocks[number]);
}

static size_t threads_counted_in_prepare;

static void count_threads(void) { threads_counted_in_prepare = resident_thread_count(); }

/* Prepare handlers run in the opposite order of their registration: this one, registered before hakmem's, sees what the
 * kernel counts after it. */
__attribute__((constructor(101))) static void register_first(void) { pthread_atfork(count_threads, NULL, NULL); }

static void helper_around_fork(void *unused) {
    (void)unused;
    make_old_free_memory();
    require_threads(2);
    pid_t pid = fork();
    if (pid == 0) {
        require_threads(1);
        make_old_free_memory();
        require_threads(2); /* the child has one of its own */
        resident_sleep_ms(700);
        REQUIRE_AT_MOST(stats_now().free_resident_bytes, 5 * MIB);
        _exit(0);
    }
    wait_for_success(pid);
    if (!resident_is_distorted()) REQUIRE_EQUAL(threads_counted_in_prepare, 1);
    make_old_free_memory();
    require_threads(2); /* the parent's is back */
    resident_sleep_ms(700);
    REQUIRE_AT_MOST(stats_now().free_resident_bytes, 5 * MIB);
}

static void test_helper_around_fork(void **state) {
    (void)state;
    child_must_succeed(helper_around_fork, NULL);
}

/* The parent had free memory waiting for its helper when it forked, and then never calls again: who gives it back? */
static void helper_after_fork_of_idle_parent(void *unused) {
    (void)unused;
    make_old_free_memory();
    pid_t pid = fork();
    if (pid == 0) _exit(0);
    wait_for_success(pid);
    hak_free(hak_malloc(100)); /* the next slow path starts it again */
    for (unsigned number = 0; number < 1000; number++) hak_free(hak_malloc(16 * number));
    resident_sleep_ms(700);
    REQUIRE_AT_MOST(stats_now().free_resident_bytes, 5 * MIB);
}

static void test_helper_comes_back_at_a_slow_path(void **state) {
    (void)state;
    child_must_succeed(helper_after_fork_of_idle_parent, NULL);
}

/* A helper that had nothing left to do ended by itself, and nobody asked for another: no thread of it is left,
 * neither for the kernel nor for ThreadSanitizer, which reports one that nobody joined. */
static void helper_ends_by_itself(void *unused) {
    (void)unused;
    stats_option_set("purge_delay_ms", "10");
    make_old_free_memory();
    resident_sleep_ms(300);
    require_threads(1);
}

static void test_helper_leaves_nothing_behind(void **state) {
    (void)state;
    child_must_succeed(helper_ends_by_itself, NULL);
}

/* The helper blocks every signal: a handler of the host never runs on its small stack. */
static _Atomic long handler_thread;

static void note_thread(int signal_number) {
    (void)signal_number;
    atomic_store(&handler_thread, (long)gettid());
}

static void signals_reach_the_host_only(void *unused) {
    (void)unused;
    struct sigaction action = {.sa_handler = note_thread};
    sigset_t blocked, pending;
    sigemptyset(&blocked);
    sigaddset(&blocked, SIGUSR1);
    sigaction(SIGUSR1, &action, NULL);
    stats_option_set("purge_delay_ms", "3000");
    make_old_free_memory();
    require_threads(2);
    REQUIRE_EQUAL(pthread_sigmask(SIG_BLOCK, &blocked, NULL), 0); /* else the kernel would prefer this thread */
    REQUIRE_EQUAL(kill(getpid(), SIGUSR1), 0);
    resident_sleep_ms(100);
    REQUIRE_EQUAL(atomic_load(&handler_thread), 0);
    REQUIRE_EQUAL(sigpending(&pending), 0);
    REQUIRE(sigismember(&pending, SIGUSR1) == 1);
    REQUIRE_EQUAL(pthread_sigmask(SIG_UNBLOCK, &blocked, NULL), 0);
    REQUIRE_EQUAL(atomic_load(&handler_thread), gettid());
    require_threads(2);
}

static void test_helper_takes_no_signal(void **state) {
    (void)state;
    child_must_succeed(signals_reach_the_host_only, NULL);
}

/* ---- The first request of all ---- */

static void *request_once(void *unused) {
    hak_free(hak_malloc(100));
    return unused;
}

/* In a process that has made none: started anew, since this one has. */
static int fork_during_the_first_request(unsigned spins) {
    pthread_t thread;
    REQUIRE_EQUAL(pthread_create(&thread, NULL, request_once, NULL), 0);
    for (volatile unsigned spin = 0; spin < spins; spin++) {}
    pid_t pid = fork();
    if (pid == 0) {
        alarm(10);
        hak_free(hak_malloc(48));
        syscall(SYS_exit_group, 0); /* TSan would look for the thread, which is the parent's, as a leak in _exit */
    }
    wait_for_success(pid);
    REQUIRE_EQUAL(pthread_join(thread, NULL), 0);
    return 0;
}

static void test_fork_during_the_first_request(void **state) {
    enum { PROCESSES = 200, SPINS_STEP = 100 };
    static const char *const environment[] = {NULL};
    (void)state;
    for (unsigned number = 0; number < PROCESSES; number++) {
        char argument[32];
        snprintf(argument, sizeof argument, "first %u", number * SPINS_STEP);
        ChildResult result = child_run_self(argument, environment);
        child_require_success(&result);
    }
}

int main(int count, char **arguments) {
    unsigned spins;
    if (count > 1 && sscanf(arguments[1], "first %u", &spins) == 1) return fork_during_the_first_request(spins);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fork_during_the_first_request),    cmocka_unit_test(test_helper_around_fork),
        cmocka_unit_test(test_helper_comes_back_at_a_slow_path), cmocka_unit_test(test_helper_leaves_nothing_behind),
        cmocka_unit_test(test_helper_takes_no_signal),           cmocka_unit_test(test_two_threads_fork),
        cmocka_unit_test(test_child_of_a_busy_process),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
