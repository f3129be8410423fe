/*
 * unit/test_grown_again.c - a cache that was given back grows again, as often as its thread needs it: it finds the
 * slots that it had.
 */
#include "support/child.h"
#include "support/stats.h"
#include "support/suite.h"

/* A cache holds a few blocks until it has grown. A thread with slots for each size once has none for so many rounds. */
enum { BLOCK_BYTES = 32, BLOCKS = 200, GROWN_BLOCKS = 100, ROUNDS = 200 };

static uint64_t cached_bytes_after_a_burst(void) {
    static void *blocks[BLOCKS];
    for (size_t number = 0; number < BLOCKS; number++) REQUIRE((blocks[number] = hak_malloc(BLOCK_BYTES)) != NULL);
    for (size_t number = 0; number < BLOCKS; number++) hak_free(blocks[number]);
    return stats_now().cached_bytes;
}

static void grows_again(void *unused) {
    (void)unused;
    stats_option_set("retain_bytes", "1000000000000"); /* no helper, which takes caches */
    void *kept = hak_malloc(BLOCK_BYTES);              /* with the last block all caches go */
    for (unsigned rounds = 0; rounds < ROUNDS; rounds++) {
        REQUIRE_AT_LEAST(cached_bytes_after_a_burst(), GROWN_BLOCKS * BLOCK_BYTES);
        hak_thread_flush();
        REQUIRE_EQUAL(stats_now().cached_bytes, 0);
    }
    hak_free(kept);
    stats_require_all_returned();
}

static void test_grows_again(void **state) {
    (void)state;
    child_must_succeed(grows_again, NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_grows_again)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
