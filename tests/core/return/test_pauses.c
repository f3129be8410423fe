/*
 * return/test_pauses.c - the thread that frees gives back a little at a time, also when it drops a large heap.
 */
#include <stdio.h>
#include <string.h>

#include "support/child.h"
#include "support/random.h"
#include "support/resident.h"
#include "support/stats.h"
#include "support/suite.h"

typedef struct Drop {
    size_t block_bytes;
    bool is_in_random_order; /* then most OS pages become free at the end */
} Drop;

enum { HEAP_BYTES = 256 << 20, BLOCKS_MAX = HEAP_BYTES / 64, LOOK_BYTES = 16 << 10 };

static void shuffle(void **blocks, size_t count) {
    Random random = {1};
    for (size_t left = count; left > 1; left--) {
        size_t other = random_below(&random, left);
        void *block = blocks[left - 1];
        blocks[left - 1] = blocks[other];
        blocks[other] = block;
    }
}

static void run_drop(void *given) {
    const Drop *drop = given;
    static void *blocks[BLOCKS_MAX];
    size_t count = HEAP_BYTES / drop->block_bytes;
    stats_option_set("purge_delay_ms", "60000"); /* the helper thread waits for that long */
    /* At this size of heap as with the defaults in a larger one: the share of it is the bound. */
    stats_option_set("retain_percent", "25");
    stats_option_set("retain_bytes", "0");
    stats_option_set("retain_young_bytes", "4194304");
    for (size_t number = 0; number < count; number++) {
        blocks[number] = hak_malloc(drop->block_bytes);
        REQUIRE(blocks[number] != NULL);
        memset(blocks[number], 1, drop->block_bytes);
    }
    if (drop->is_in_random_order) shuffle(blocks, count);
    size_t at_peak = resident_bytes(), before = at_peak, most_at_once = 0;
    uint64_t purged_bytes = stats_now().purged_bytes_total;
    for (size_t number = 0; number < count; number++) {
        hak_free(blocks[number]);
        if (number * drop->block_bytes % LOOK_BYTES != 0 || stats_now().purged_bytes_total == purged_bytes) continue;
        purged_bytes = stats_now().purged_bytes_total; /* resident_bytes takes a millisecond */
        size_t now = resident_bytes();
        if (now < before && before - now > most_at_once) most_at_once = before - now;
        before = now;
    }
    fprintf(stderr, "%zu MiB at the peak, at most %zu KiB at once, %zu MiB left\n", at_peak / MIB, most_at_once / 1024,
            before / MIB);
    REQUIRE_AT_MOST(before, 44 * MIB); /* the test's own list of blocks has 32 */
    REQUIRE_AT_LEAST(most_at_once, MIB);
    REQUIRE_AT_MOST(most_at_once, 6 * MIB);
}

static void require_drop(Drop drop) {
    if (resident_is_distorted()) skip();
    ChildResult result = child_run(run_drop, &drop);
    child_require_success(&result);
}

static void test_slab_blocks_in_order_of_birth(void **state) {
    (void)state;
    require_drop((Drop){16 << 10, false});
}

static void test_small_blocks_in_random_order(void **state) {
    (void)state;
    require_drop((Drop){64, true});
}

static void test_large_blocks(void **state) {
    (void)state;
    require_drop((Drop){512 << 10, false});
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_slab_blocks_in_order_of_birth),
        cmocka_unit_test(test_small_blocks_in_random_order),
        cmocka_unit_test(test_large_blocks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
