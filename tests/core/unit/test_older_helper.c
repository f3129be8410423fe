/*
 * unit/test_older_helper.c - a helper that has ended is still a thread for the kernel while its exit takes time. The
 * next one may start meanwhile, and hak_quiesce_begin returns when both are gone. The test makes the exit slow.
 */
#include <pthread.h>

#include "base/base.h"
#include "support/blocks.h"
#include "support/child.h"
#include "support/resident.h"
#include "support/stats.h"
#include "support/suite.h"
#include "support/threads.h"

enum { STEP_ENDED = 1, EXIT_MS = 40, BLOCKS = 2000, BLOCK_BYTES = 2000 };

static Story story = STORY_START;
static pthread_key_t exit_key;
static _Atomic bool is_next_exit_slow;

/* The helper has ended, and its thread has not. */
static void exit_slowly(void *unused) {
    (void)unused;
    story_reach(&story, STEP_ENDED);
    resident_sleep_ms(EXIT_MS);
}

void __real_hak_core_os_wait_ms(_Atomic uint32_t *word, uint32_t expected, uint32_t milliseconds);
void __wrap_hak_core_os_wait_ms(_Atomic uint32_t *word, uint32_t expected, uint32_t milliseconds);

/* The helper sleeps here. */
void __wrap_hak_core_os_wait_ms(_Atomic uint32_t *word, uint32_t expected, uint32_t milliseconds) {
    if (atomic_exchange(&is_next_exit_slow, false)) pthread_setspecific(exit_key, &exit_key);
    __real_hak_core_os_wait_ms(word, expected, milliseconds);
}

static void build_and_drop(void) {
    static void *blocks[BLOCKS];
    blocks_churn(blocks, BLOCKS, BLOCK_BYTES);
}

static void replaces_one_that_exits(void *unused) {
    (void)unused;
    stats_option_set("first_thread_bytes", "0");
    stats_option_set("retain_bytes", "0");
    stats_option_set("retain_percent", "0");
    stats_option_set("purge_delay_ms", "1");
    REQUIRE_EQUAL(pthread_key_create(&exit_key, exit_slowly), 0);
    is_next_exit_slow = true;
    build_and_drop();
    story_await(&story, STEP_ENDED);
    stats_option_set("purge_delay_ms", "3600000");
    build_and_drop();
    hak_quiesce_begin();
    REQUIRE_EQUAL(resident_thread_count(), 1);
    REQUIRE_EQUAL(hak_quiesce_end(), 0);
}

static void test_older_helper(void **state) {
    (void)state;
    resident_run(replaces_one_that_exits, NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_older_helper)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
