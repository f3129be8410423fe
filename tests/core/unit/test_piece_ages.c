/*
 * unit/test_piece_ages.c - free pieces of one SuperSlab that became free at different times: a purge by age takes the
 * old ones, and leaves those that were in use a moment ago.
 *
 * In unit because the test is the clock, and asks for a purge by age.
 */
#include <string.h>

#include "platform/os.h"
#include "retention/purge.h"
#include "superslab/registry.h"
#include "superslab/supply.h"
#include "support/child.h"
#include "support/stats.h"
#include "support/suite.h"

enum { BLOCK_BYTES = 256 << 10, BLOCKS = (int)(SUPERSLAB_BYTES / BLOCK_BYTES), AGE_MS = 188, LONG_MS = 200 };

static uint64_t passed_ms;

uint64_t __wrap_hak_core_os_now_ms(void);
uint64_t __wrap_hak_core_os_now_ms(void) { return 1000000 + passed_ms; }

/* A SuperSlab that is full of blocks, all touched. */
static void fill(char **block) {
    stats_option_set("purge_delay_ms", "3600000");
    stats_option_set("retain_bytes", "1000000000000"); /* no purge but the test's */
    for (size_t number = 0; number < BLOCKS; number++) {
        REQUIRE((block[number] = hak_malloc(BLOCK_BYTES)) != NULL);
        memset(block[number], 1, BLOCK_BYTES);
        REQUIRE(ptr_to_superslab(block[number]) == ptr_to_superslab(block[0]));
    }
    REQUIRE_EQUAL(stats_checked().free_resident_bytes, 0);
}

/* Gives back so many bytes for their age, and `left_bytes` that are free stay. */
static void require_purged(size_t bytes, size_t left_bytes) {
    REQUIRE_EQUAL(purge_run(AGE_MS, 0, SIZE_MAX), bytes);
    REQUIRE_EQUAL(stats_checked().free_resident_bytes, left_bytes);
}

static void younger_one_stays(void *unused) {
    (void)unused;
    char *block[BLOCKS];
    fill(block);
    hak_free(block[0]);
    passed_ms += LONG_MS;
    hak_free(block[2]);
    require_purged(BLOCK_BYTES, BLOCK_BYTES);
    require_purged(0, BLOCK_BYTES);
    passed_ms += LONG_MS;
    require_purged(BLOCK_BYTES, 0);
}

/* All of the SuperSlab is free: it is not released for the oldest piece. */
static void spare_one_stays(void *unused) {
    (void)unused;
    char *block[BLOCKS];
    fill(block);
    hak_free(block[5]);
    passed_ms += LONG_MS;
    for (size_t number = 0; number < BLOCKS; number++)
        if (number != 5) hak_free(block[number]);
    require_purged(BLOCK_BYTES, (BLOCKS - 1) * (size_t)BLOCK_BYTES);
    passed_ms += LONG_MS;
    require_purged((BLOCKS - 1) * (size_t)BLOCK_BYTES, 0);
    stats_require_all_returned();
}

static void use_makes_young(void *unused) {
    (void)unused;
    char *block[BLOCKS];
    fill(block);
    hak_free(block[1]);
    hak_free(block[4]);
    passed_ms += LONG_MS;
    char *again = hak_malloc(BLOCK_BYTES);
    REQUIRE(again == block[1] || again == block[4]);
    hak_free(again);
    require_purged(BLOCK_BYTES, BLOCK_BYTES);
    REQUIRE_EQUAL(hak_check(), 0);
    REQUIRE(hak_malloc(BLOCK_BYTES) == again);
}

/* The tail of a block that shrinks is as old as its shrinking; a block that grows into it, and shrinks, makes it so. */
static void tails_have_ages(void *unused) {
    (void)unused;
    enum { SHRUNK_BYTES = 160 << 10 }; /* half a slab, and one more, become free; one with OS pages of 64 KiB */
    char *block[BLOCKS];
    fill(block);
    size_t freed_bytes = BLOCK_BYTES - round_up_bytes(SHRUNK_BYTES, os_page_bytes);
    REQUIRE(hak_realloc(block[0], SHRUNK_BYTES) == block[0]);
    REQUIRE(hak_realloc(block[1], SHRUNK_BYTES) == block[1]);
    passed_ms += LONG_MS;
    REQUIRE(hak_realloc(block[1], BLOCK_BYTES) == block[1]);
    REQUIRE(hak_realloc(block[1], SHRUNK_BYTES) == block[1]);
    hak_free(block[7]);
    require_purged(freed_bytes, freed_bytes + BLOCK_BYTES);
    passed_ms += LONG_MS;
    require_purged(freed_bytes + BLOCK_BYTES, 0);
}

/* What is left of a SuperSlab waits behind the older pieces of others. */
static void order_is_by_age(void *unused) {
    (void)unused;
    enum { HALF_MS = LONG_MS / 2 };
    char *first[BLOCKS], *second[BLOCKS];
    fill(first);
    fill(second);
    hak_free(first[0]);
    passed_ms += HALF_MS;
    hak_free(second[0]);
    passed_ms += HALF_MS;
    hak_free(first[3]);
    require_purged(BLOCK_BYTES, 2 * (size_t)BLOCK_BYTES);
    REQUIRE(supply.queue.oldest == ptr_to_superslab(second[0]));
    passed_ms += HALF_MS;
    require_purged(BLOCK_BYTES, BLOCK_BYTES);
    REQUIRE(supply.queue.oldest == ptr_to_superslab(first[0]));
    passed_ms += HALF_MS;
    require_purged(BLOCK_BYTES, 0);
}

static void test_ages(void **state) {
    (void)state;
    void (*const stories[])(void *) = {younger_one_stays, spare_one_stays, use_makes_young, tails_have_ages,
                                       order_is_by_age};
    for (size_t index = 0; index < sizeof stories / sizeof *stories; index++) child_must_succeed(stories[index], NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_ages)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
