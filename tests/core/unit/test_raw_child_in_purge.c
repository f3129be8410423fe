/*
 * unit/test_raw_child_in_purge.c - a child that was made without the C library's fork hooks while a thread of its
 * parent was in the middle of a purge, and no thread held a lock: it waits for no end of that purge, whatever its first
 * act is, and finds free what the purge had in hand. So it does where the parent never had a helper, and where a signal
 * handler made it while its thread waited for the helper.
 */
#define _GNU_SOURCE
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "heap/heap_all.h"
#include "platform/os.h"
#include "superslab/metadata.h"
#include "superslab/superslab.h"
#include "support/child.h"
#include "support/resident.h"
#include "support/stats.h"
#include "support/suite.h"
#include "support/threads.h"
#include "unit/raw_fork.h"

enum { STEP_FREED = 1, STEP_END, STEP_HELD, STEP_FORKED };
enum { BLOCKS = 2000, BLOCK_BYTES = 3000, CHILD_SECONDS_MAX = 30, MOMENT_MS = 50 };

static Story story = STORY_START;
static _Thread_local bool is_holding;
static _Atomic bool holds_helper;
static pthread_t main_thread;
static void *blocks[BLOCKS];
static hak_heap_t *private_heap;

uint64_t __real_hak_core_os_purge_ranges(const OsRange *ranges, unsigned count);
uint64_t __wrap_hak_core_os_purge_ranges(const OsRange *ranges, unsigned count);

uint64_t __wrap_hak_core_os_purge_ranges(const OsRange *ranges, unsigned count) {
    if (is_holding) {
        is_holding = false;
        story_reach(&story, STEP_HELD);
        story_await(&story, STEP_FORKED);
    } else if (pthread_equal(pthread_self(), main_thread) == 0 && atomic_exchange(&holds_helper, false)) {
        story_reach(&story, STEP_HELD);
        resident_sleep_ms(MOMENT_MS); /* now the main thread waits */
        REQUIRE_EQUAL(pthread_kill(main_thread, SIGUSR1), 0);
        resident_sleep_ms(MOMENT_MS);
    }
    return __real_hak_core_os_purge_ranges(ranges, count);
}

/* ---- A thread purges what another one has freed ---- */

static void build_and_drop_most(void *(*make)(size_t bytes), void (*drop)(void *block)) {
    size_t kept_every = 2 * resident_os_page_bytes() / BLOCK_BYTES + 2;
    for (size_t number = 0; number < BLOCKS; number++) memset(blocks[number] = make(BLOCK_BYTES), 1, BLOCK_BYTES);
    for (size_t number = 0; number < BLOCKS; number++)
        if (number % kept_every != 0) drop(blocks[number]);
    hak_thread_flush();
}

static void *make_private(size_t bytes) { return hak_heap_malloc(private_heap, bytes); }
static void drop_private(void *block) { hak_heap_free(private_heap, block); }

static void *free_most_and_end(void *unused) {
    build_and_drop_most(hak_malloc, hak_free);
    story_reach(&story, STEP_FREED);
    story_await(&story, STEP_END);
    return unused;
}

static void *trim(void *unused) {
    is_holding = true;
    (void)hak_trim();
    return unused;
}

/* The process never has a helper. */
static pthread_t begin_purge(void) {
    main_thread = pthread_self();
    stats_option_set("retain_bytes", "1073741824");
    stats_option_set("retain_burst_bytes", "1073741824");
    stats_option_set("purge_delay_ms", "3600000");
    pthread_t owner = threads_start(free_most_and_end, NULL);
    story_await(&story, STEP_FREED);
    return owner;
}

static void *allocate(void *unused) {
    for (size_t bytes = 8; bytes < 4000; bytes += 100) hak_free(memset(hak_malloc(bytes), 1, bytes));
    return unused;
}

static void allocate_in_thread(void) { threads_join(threads_start(allocate, NULL)); }
static void destroy_private_heap(void) { hak_heap_destroy(private_heap); }
static void trim_first(void) { (void)hak_trim(); }

static void fork_first(void) {
    pid_t grandchild = fork();
    if (grandchild == 0) _exit(0);
    require_child_succeeds(grandchild);
}

static void live_in_child(void (*act)(void)) {
    alarm(CHILD_SECONDS_MAX);
    act();
    (void)hak_trim();
    REQUIRE_EQUAL(detached_count, 0);
    REQUIRE_EQUAL(stats_now().free_resident_bytes, 0);
    REQUIRE_EQUAL(hak_check(), 0);
    allocate_in_thread();
    fork_first();
    _exit(0);
}

static void raw_child_acts(void *act) {
    pthread_t owner = begin_purge();
    private_heap = hak_heap_new(&(hak_heap_options_t){sizeof(hak_heap_options_t), HAK_HEAP_VERSION, 1, 0, 0, 0});
    build_and_drop_most(make_private, drop_private);
    pthread_t purger = threads_start(trim, NULL);
    story_await(&story, STEP_HELD); /* beyond STEP_END: the owner's heap now waits for the next thread */
    threads_join(owner);
    pid_t child = raw_fork();
    if (child == 0) live_in_child(*(void (**)(void))act);
    require_child_succeeds(child);
    story_reach(&story, STEP_FORKED);
    threads_join(purger);
    REQUIRE_EQUAL(hak_check(), 0);
}

static void test_each_first_act(void **state) {
    (void)state;
    void (*acts[])(void) = {allocate_in_thread, destroy_private_heap, trim_first, fork_first};
    if (resident_is_distorted()) skip();
    for (size_t number = 0; number < sizeof acts / sizeof *acts; number++)
        child_must_succeed(raw_child_acts, &acts[number]);
}

/* ---- A signal handler makes the child ---- */

static volatile sig_atomic_t child_of_handler = -1;

static void make_child(int unused) {
    (void)unused;
    child_of_handler = (int)syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, NULL);
    if (child_of_handler == 0) alarm(CHILD_SECONDS_MAX);
}

static void quiesce(void) {
    hak_quiesce_begin();
    (void)hak_quiesce_end();
}

static void check(void) { REQUIRE_EQUAL(hak_check(), 0); }

static void wait_for_helper(void *act) {
    main_thread = pthread_self();
    REQUIRE(signal(SIGUSR1, make_child) != SIG_ERR);
    stats_option_set("retain_bytes", "0");
    stats_option_set("purge_delay_ms", "4");
    alarm(CHILD_SECONDS_MAX);
    holds_helper = true;
    build_and_drop_most(hak_malloc, hak_free);
    story_await(&story, STEP_HELD);
    (*(void (**)(void))act)();
    REQUIRE(child_of_handler >= 0);
    check();
    allocate_in_thread();
    fork_first();
    if (child_of_handler == 0) _exit(0);
    require_child_succeeds((pid_t)child_of_handler);
}

static void test_handler_in_a_wait_for_the_helper(void **state) {
    (void)state;
    void (*acts[])(void) = {quiesce, check, fork_first};
    if (resident_is_distorted()) skip();
    for (size_t number = 0; number < sizeof acts / sizeof *acts; number++)
        child_must_succeed(wait_for_helper, &acts[number]);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_first_act),
        cmocka_unit_test(test_handler_in_a_wait_for_the_helper),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
