/*
 * unit/test_fork_in_purge.c - a fork that does not wait for other threads' purges to end: what these had in hand is
 * free in the child, where nobody will put it back. The test holds the purge in the middle. And what another thread
 * frees when the fork's own purge is over, and leaves to a helper that the fork then stops, is given back in both
 * processes.
 */
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "platform/os.h"
#include "support/resident.h"
#include "support/stats.h"
#include "support/suite.h"
#include "support/threads.h"

enum { STEP_HELD = 1, STEP_FORKED = 2, BLOCKS = 2000, BLOCK_BYTES = 3000, CHILD_SECONDS_MAX = 60 };

static Story story = STORY_START;
static _Thread_local bool is_holding;
static void *blocks[BLOCKS];

uint64_t __real_hak_core_os_purge_ranges(const OsRange *ranges, unsigned count);
uint64_t __wrap_hak_core_os_purge_ranges(const OsRange *ranges, unsigned count);

uint64_t __wrap_hak_core_os_purge_ranges(const OsRange *ranges, unsigned count) {
    story_hold(&story, &is_holding, STEP_HELD, STEP_FORKED);
    return __real_hak_core_os_purge_ranges(ranges, count);
}

static _Thread_local bool is_freed_late;
static void *late_block;

static void *free_late_block(void *unused) {
    hak_free(late_block);
    return unused;
}

void __real_hak_core_helper_stop(void);
void __wrap_hak_core_helper_stop(void);

void __wrap_hak_core_helper_stop(void) {
    if (is_freed_late) threads_join(threads_start(free_late_block, NULL));
    is_freed_late = false;
    __real_hak_core_helper_stop();
}

/* All blocks of some slabs, and some of others: slabs of the supply and slabs of a heap are given back. */
static void *free_and_trim(void *kept_every_pointer) {
    size_t kept_every = *(size_t *)kept_every_pointer;
    for (size_t number = 0; number < BLOCKS; number++) memset(blocks[number] = hak_malloc(BLOCK_BYTES), 1, BLOCK_BYTES);
    for (size_t number = 0; number < BLOCKS; number++) {
        if (number % kept_every == 0) continue;
        hak_free(blocks[number]);
        blocks[number] = NULL;
    }
    hak_thread_flush();
    is_holding = true;
    (void)hak_trim();
    REQUIRE(!is_holding);
    for (size_t number = 0; number < BLOCKS; number++) hak_free(blocks[number]);
    return NULL;
}

static void *allocate(void *unused) {
    for (size_t bytes = 8; bytes < 4000; bytes += 100) hak_free(memset(hak_malloc(bytes), 1, bytes));
    return unused;
}

static void live_in_child(void) {
    alarm(CHILD_SECONDS_MAX); /* a thread that takes over a heap must not wait for a purge that nobody ends */
    REQUIRE_EQUAL(hak_check(), 0);
    threads_join(threads_start(allocate, NULL));
    (void)hak_trim();
    REQUIRE_EQUAL(stats_now().free_resident_bytes, 0);
    REQUIRE_EQUAL(hak_check(), 0);
    _exit(0);
}

static void require_usable_child(size_t kept_every) {
    stats_option_set("retain_burst_bytes", "1073741824");
    stats_option_set("purge_delay_ms", "3600000");
    story.step = 0;
    pthread_t thread = threads_start(free_and_trim, &kept_every);
    story_await(&story, STEP_HELD);
    pid_t child = fork();
    REQUIRE(child >= 0);
    if (child == 0) live_in_child();
    int status;
    REQUIRE_EQUAL(waitpid(child, &status, 0), child);
    story_reach(&story, STEP_FORKED);
    threads_join(thread);
    REQUIRE_EQUAL(status, 0);
    REQUIRE_EQUAL(hak_check(), 0);
}

static void test_slabs_of_a_heap(void **state) {
    (void)state;
    require_usable_child(2 * resident_os_page_bytes() / BLOCK_BYTES + 2);
}

static void test_slabs_of_the_supply(void **state) {
    (void)state;
    require_usable_child(BLOCKS / 4);
}

static void test_freed_after_the_purge(void **state) {
    (void)state;
    enum { LATE_BYTES = 12 << 20, OLD_BOUND_BYTES = 4 << 20 };
    stats_option_set("purge_delay_ms", "3600000");
    late_block = memset(hak_malloc(LATE_BYTES), 1, LATE_BYTES);
    is_freed_late = true;
    pid_t child = fork();
    REQUIRE(child >= 0);
    REQUIRE(!is_freed_late);
    REQUIRE_AT_MOST(stats_now().free_resident_bytes, OLD_BOUND_BYTES);
    if (child == 0) _exit(0);
    int status;
    REQUIRE_EQUAL(waitpid(child, &status, 0), child);
    REQUIRE_EQUAL(status, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_slabs_of_a_heap),
        cmocka_unit_test(test_slabs_of_the_supply),
        cmocka_unit_test(test_freed_after_the_purge),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
