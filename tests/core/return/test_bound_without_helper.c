/*
 * return/test_bound_without_helper.c - where no helper runs, the calls that free keep the idle bound. With
 * purge_delay_ms=0: when a bound falls, the call that lets it fall gives back all that is above it, not only what it
 * made free itself. In a quiesce: also in a process that had a helper just before. The end of a thread is such a call:
 * what its magazines held goes back then.
 */
#include <string.h>

#include "support/child.h"
#include "support/resident.h"
#include "support/stats.h"
#include "support/suite.h"
#include "support/threads.h"

enum { BLOCK_BYTES = 1000, HELD = 20000, FREED = 40000 };

/* Bytes of these blocks, about. */
static uint64_t bytes_of(size_t count) { return (uint64_t)count * BLOCK_BYTES; }

static void bound_falls(void *unused) {
    (void)unused;
    stats_option_set("purge_delay_ms", "0");
    stats_option_set("retain_bytes", "0");
    stats_option_set("retain_percent", "300");
    stats_option_set("retain_burst_bytes", "0");
    stats_option_set("retain_burst_percent", "0");
    hak_heap_options_t options = HAK_HEAP_OPTIONS_INIT;
    options.is_private = 1;
    hak_heap_t *heap = hak_heap_new(&options);
    for (size_t number = 0; number < HELD; number++) {
        void *block = hak_heap_malloc(heap, BLOCK_BYTES);
        REQUIRE(block != NULL);
        memset(block, 1, BLOCK_BYTES);
    }
    static void *blocks[FREED];
    for (size_t number = 0; number < FREED; number++) memset(blocks[number] = hak_malloc(BLOCK_BYTES), 1, BLOCK_BYTES);
    for (size_t number = 0; number < FREED; number++) hak_free(blocks[number]);
    REQUIRE_AT_LEAST(stats_now().free_resident_bytes, bytes_of(FREED) * 3 / 4); /* within the bound */
    hak_heap_destroy(heap);
    REQUIRE_AT_MOST(stats_now().free_resident_bytes, MIB);
    REQUIRE_EQUAL(hak_check(), 0);
}

static void test_bound_falls(void **state) {
    (void)state;
    resident_run(bound_falls, NULL);
}

static void quiesces(void *unused) {
    (void)unused;
    stats_option_set("purge_delay_ms", "3600000");
    stats_option_set("first_thread_bytes", "0");
    stats_option_set("retain_bytes", "0");
    stats_option_set("retain_percent", "0");
    stats_option_set("retain_burst_bytes", "1073741824");
    static void *blocks[FREED];
    for (size_t number = 0; number < FREED; number++) memset(blocks[number] = hak_malloc(BLOCK_BYTES), 1, BLOCK_BYTES);
    for (size_t number = 0; number < FREED / 2; number++) hak_free(blocks[number]);
    REQUIRE_AT_LEAST(stats_now().free_resident_bytes, bytes_of(FREED) / 4); /* left to the helper */
    hak_quiesce_begin();
    for (size_t number = FREED / 2; number < FREED; number++) hak_free(blocks[number]);
    REQUIRE_AT_MOST(stats_now().free_resident_bytes, 3 * MIB);
    REQUIRE_EQUAL(hak_quiesce_end(), 0);
    REQUIRE_EQUAL(hak_check(), 0);
}

static void test_quiesce(void **state) {
    (void)state;
    resident_run(quiesces, NULL);
}

/* Leaves one block in sixteen alive, so that no slab becomes empty. */
static void *fill_magazines(void *unused) {
    enum { STEP = 64, SIZES = 64, BLOCKS_EACH = 32, KEPT_EACH = 16 };
    for (size_t bytes = STEP; bytes <= STEP * SIZES; bytes += STEP) {
        void *blocks[BLOCKS_EACH];
        for (size_t number = 0; number < BLOCKS_EACH; number++) memset(blocks[number] = hak_malloc(bytes), 1, bytes);
        for (size_t number = 0; number < BLOCKS_EACH; number++)
            if (number % KEPT_EACH != 0) hak_free(blocks[number]);
    }
    return unused;
}

static void thread_ends(void *unused) {
    (void)unused;
    stats_option_set("purge_delay_ms", "0");
    stats_option_set("retain_bytes", "0");
    stats_option_set("retain_percent", "0");
    threads_join(threads_start(fill_magazines, NULL));
    REQUIRE_EQUAL(stats_now().free_resident_bytes, 0);
    REQUIRE_EQUAL(hak_check(), 0);
}

static void test_thread_ends(void **state) {
    (void)state;
    resident_run(thread_ends, NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bound_falls),
        cmocka_unit_test(test_quiesce),
        cmocka_unit_test(test_thread_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
