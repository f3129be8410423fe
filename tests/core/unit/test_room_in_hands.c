/*
 * unit/test_room_in_hands.c - memory is short while another thread has free OS pages in its hands, to give them back:
 * the request waits for them, and is served.
 *
 * In unit because the link wraps the OS calls: the test holds the purge in the middle, and maps nothing.
 */
#include <string.h>

#include "platform/os.h"
#include "support/child.h"
#include "support/resident.h"
#include "support/stats.h"
#include "support/suite.h"
#include "support/threads.h"

enum { STEP_HELD = 1, STEP_ASKED };

static Story story = STORY_START;
static _Thread_local bool is_holding;
static _Atomic bool refuses_maps;

uint64_t __real_hak_core_os_purge_ranges(const OsRange *ranges, unsigned count);
uint64_t __wrap_hak_core_os_purge_ranges(const OsRange *ranges, unsigned count);
uint64_t __wrap_hak_core_os_purge_ranges(const OsRange *ranges, unsigned count) {
    story_hold(&story, &is_holding, STEP_HELD, STEP_ASKED);
    return __real_hak_core_os_purge_ranges(ranges, count);
}

void *__real_hak_core_os_map(uintptr_t hint, size_t bytes);
void *__wrap_hak_core_os_map(uintptr_t hint, size_t bytes);
void *__wrap_hak_core_os_map(uintptr_t hint, size_t bytes) {
    return refuses_maps ? NULL : __real_hak_core_os_map(hint, bytes);
}

/* The wait of the request: the other thread puts back what it has. */
void __real_hak_core_os_sleep_ms(uint32_t milliseconds);
void __wrap_hak_core_os_sleep_ms(uint32_t milliseconds);
static unsigned waits;
void __wrap_hak_core_os_sleep_ms(uint32_t milliseconds) {
    waits++;
    story_reach(&story, STEP_ASKED);
    while (stats_now().free_resident_bytes != 0) __real_hak_core_os_sleep_ms(milliseconds);
}

enum { BLOCKS = 60, BLOCK_BYTES = 60000, KEPT = 5 };
static void *blocks[BLOCKS];

static void *trim(void *unused) {
    is_holding = true;
    (void)hak_trim();
    return unused;
}

static void is_served_from_what_comes_back(void *unused) {
    (void)unused;
    stats_option_set("purge_delay_ms", "3600000");
    stats_option_set("retain_burst_bytes", "1073741824");
    for (size_t number = 0; number < BLOCKS; number++) memset(blocks[number] = hak_malloc(BLOCK_BYTES), 1, BLOCK_BYTES);
    refuses_maps = true;
    while (hak_malloc(BLOCK_BYTES) != NULL) {}
    waits = 0;
    for (size_t number = 0; number < BLOCKS; number += KEPT) hak_free(blocks[number]);
    story.step = 0;
    pthread_t other = threads_start(trim, NULL);
    story_await(&story, STEP_HELD);
    size_t served = 0;
    while (waits == 0) {
        REQUIRE(hak_malloc(BLOCK_BYTES) != NULL);
        REQUIRE_AT_MOST(++served, BLOCKS / KEPT);
    }
    threads_join(other);
    REQUIRE_EQUAL(waits, 1);
    REQUIRE_EQUAL(hak_check(), 0);
}

static void test_what_others_have_in_hand_is_waited_for(void **state) {
    (void)state;
    child_must_succeed(is_served_from_what_comes_back, NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_what_others_have_in_hand_is_waited_for)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
