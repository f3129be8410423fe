/*
 * return/test_rebuilt_blocks.c - large blocks that are built and dropped over and over, by realloc step by step or by
 * malloc at once: the next one gets the OS pages that the last ones left, whatever their sizes, and it never takes
 * contents along. What a drop leaves stays within both bounds.
 *
 * Each case is a process of its own.
 */
#include <string.h>

#include "support/await.h"
#include "support/child.h"
#include "support/pattern.h"
#include "support/random.h"
#include "support/resident.h"
#include "support/stats.h"
#include "support/suite.h"

enum { KEY = 5, BURST_BOUND_MIB = 16, IDLE_BOUND_MIB = 4 };

/* In OS pages of the kernel. */
static size_t pages_of(size_t bytes) { return bytes / 4096; }

/* Nothing goes by age while the test counts page faults. */
static void keep_for_long(void) { stats_option_set("purge_delay_ms", "1000000"); }

/* ---- Growing step by step ---- */

typedef struct Growth {
    size_t eighths;    /* a step adds so many eighths of the length */
    size_t blocks;     /* that grow by turns */
    size_t last_bytes; /* of each */
} Growth;

enum { BLOCKS_MAX = 4 };

/* Grows all blocks from 1 KiB, writes every byte, reads what was written, and drops them. */
static void build_and_drop(const Growth *growth) {
    char *block[BLOCKS_MAX] = {NULL};
    size_t bytes = 0;
    while (bytes < growth->last_bytes) {
        size_t next_bytes = bytes == 0 ? 1024 : bytes + bytes / 8 * growth->eighths;
        if (next_bytes > growth->last_bytes) next_bytes = growth->last_bytes;
        for (size_t number = 0; number < growth->blocks; number++) {
            block[number] = hak_realloc(block[number], next_bytes);
            REQUIRE(block[number] != NULL);
            REQUIRE(bytes == 0 || block[number][bytes - 1] == (char)number);
            memset(block[number] + bytes, (int)number, next_bytes - bytes);
        }
        bytes = next_bytes;
    }
    for (size_t number = 0; number < growth->blocks; number++) {
        for (size_t offset = 0; offset < bytes; offset += 512) REQUIRE_EQUAL(block[number][offset], (char)number);
        hak_free(block[number]);
    }
}

static void is_built_without_page_faults(void *growth_pointer) {
    enum { ROUNDS = 8, PERCENT_MAX = 5 };
    const Growth *growth = growth_pointer;
    keep_for_long();
    if (growth->blocks * growth->last_bytes > BURST_BOUND_MIB * MIB)
        stats_option_set("retain_burst_bytes", "1000000000");
    build_and_drop(growth);
    build_and_drop(growth);
    size_t before = resident_page_faults();
    for (unsigned rounds = 0; rounds < ROUNDS; rounds++) build_and_drop(growth);
    size_t built_pages = ROUNDS * growth->blocks * pages_of(growth->last_bytes);
    REQUIRE_AT_MOST(resident_page_faults() - before, built_pages / 100 * PERCENT_MAX);
    REQUIRE_EQUAL(hak_check(), 0);
    stats_require_all_returned();
}

/* Beside a free mapping, which alone exceeds the idle bound. */
static void runs_are_built_without_page_faults(void *unused) {
    (void)unused;
    Growth growth = {1, 2, 1 * MIB};
    keep_for_long();
    hak_free(pattern_dirty_block(10 * MIB, KEY));
    is_built_without_page_faults(&growth);
}

static void test_built_without_page_faults(void **state) {
    (void)state;
    Growth growths[] = {{1, 1, 12 * MIB}, {4, 1, 12 * MIB}, {8, 1, 12 * MIB},
                        {1, 1, 60 * MIB}, {1, 2, 12 * MIB}, {4, 4, 12 * MIB}};
    for (size_t index = 0; index < sizeof growths / sizeof *growths; index++)
        resident_run(is_built_without_page_faults, &growths[index]);
    resident_run(runs_are_built_without_page_faults, NULL);
}

/* ---- One of another length ---- */

static void drop(char *block, size_t bytes) {
    REQUIRE(pattern_holds(block, bytes, KEY));
    hak_free(block);
}

enum { FEW_FAULTS = 64 }; /* of code that runs for the first time, and of metadata */

static void longer_one_takes_the_shorter_ones_pages(void *unused) {
    (void)unused;
    keep_for_long();
    drop(pattern_dirty_block(12 * MIB, KEY), 12 * MIB);
    size_t before = resident_page_faults();
    drop(pattern_dirty_block(14 * MIB, KEY), 14 * MIB);
    REQUIRE_AT_MOST(resident_page_faults() - before, pages_of(2 * MIB) + FEW_FAULTS);
    stats_require_all_returned();
}

static void shorter_ones_share_a_longer_ones_pages(void *unused) {
    (void)unused;
    keep_for_long();
    drop(pattern_dirty_block(14 * MIB, KEY), 14 * MIB);
    size_t before = resident_page_faults();
    char *first = pattern_dirty_block(3 * MIB / 2, KEY), *second = pattern_dirty_block(5 * MIB, KEY);
    char *third = pattern_dirty_block(6 * MIB, KEY);
    REQUIRE_AT_MOST(resident_page_faults() - before, FEW_FAULTS);
    REQUIRE_EQUAL(hak_check(), 0);
    drop(second, 5 * MIB);
    drop(first, 3 * MIB / 2);
    drop(third, 6 * MIB);
    stats_require_all_returned();
}

static void test_another_length(void **state) {
    (void)state;
    resident_run(longer_one_takes_the_shorter_ones_pages, NULL);
    resident_run(shorter_ones_share_a_longer_ones_pages, NULL);
}

/* ---- Within the bounds ---- */

static void require_at_most_free(size_t mib) {
    hak_stats_t stats = stats_checked();
    REQUIRE_AT_MOST(stats.free_resident_bytes, mib * MIB);
    REQUIRE_AT_MOST(resident_bytes(), stats.live_bytes + mib * MIB + 8 * MIB); /* of the program, and metadata */
}

/* As much as the burst bound allows is kept of a block that is longer. */
static void drop_stays_within_the_bounds(void *unused) {
    (void)unused;
    stats_option_set("learn", "0");
    Growth growth = {1, 1, 40 * MIB};
    for (unsigned rounds = 0; rounds < 3; rounds++) {
        build_and_drop(&growth);
        require_at_most_free(BURST_BOUND_MIB);
    }
    keep_for_long();
    build_and_drop(&growth);
    require_at_most_free(BURST_BOUND_MIB);
    REQUIRE_AT_LEAST(stats_checked().free_resident_bytes, BURST_BOUND_MIB / 2 * MIB);
    stats_option_set("purge_delay_ms", "250");
    AWAIT_AT_MOST(stats_now().free_resident_bytes, IDLE_BOUND_MIB * MIB);
    require_at_most_free(IDLE_BOUND_MIB);
    REQUIRE_EQUAL(hak_check(), 0);
    stats_require_all_returned();
}

/* Blocks by turns: what is kept of the places that they outgrow is within the bound, too. */
static void turns_stay_within_the_bounds(void *unused) {
    (void)unused;
    stats_option_set("learn", "0");
    Growth growth = {4, BLOCKS_MAX, 6 * MIB};
    for (unsigned rounds = 0; rounds < 3; rounds++) {
        build_and_drop(&growth);
        require_at_most_free(BURST_BOUND_MIB);
    }
    stats_require_all_returned();
}

static void test_within_the_bounds(void **state) {
    (void)state;
    resident_run(drop_stays_within_the_bounds, NULL);
    resident_run(turns_stay_within_the_bounds, NULL);
}

/* ---- Contents ---- */

typedef struct Slot {
    char *block;
    size_t bytes;
    uint64_t key;
} Slot;

static void fill_slot(Slot *slot, uint64_t key) {
    slot->key = key;
    pattern_fill(slot->block, slot->bytes, key);
}

static void change(Slot *slot, Random *random, uint64_t key) {
    enum { LEAST_BYTES = 300 << 10, RANGE_BYTES = 9 << 20 };
    size_t bytes = LEAST_BYTES + random_below(random, RANGE_BYTES);
    if (slot->block != NULL) REQUIRE(pattern_holds(slot->block, slot->bytes, slot->key));
    switch (random_below(random, 5)) {
    case 0: /* zeroed, where the former blocks were not */
        hak_free(slot->block);
        REQUIRE((slot->block = hak_calloc(1, bytes)) != NULL);
        REQUIRE(pattern_is_zero(slot->block, bytes));
        break;
    case 1:
        hak_free(slot->block);
        REQUIRE((slot->block = hak_malloc(bytes)) != NULL);
        break;
    case 2: /* at an address that is a multiple of more than 2 MiB */
        hak_free(slot->block);
        REQUIRE((slot->block = hak_aligned_alloc(8 * MIB, bytes)) != NULL);
        REQUIRE_EQUAL((uintptr_t)slot->block % (8 * MIB), 0);
        break;
    default: {
        size_t kept_bytes = slot->block == NULL ? 0 : slot->bytes < bytes ? slot->bytes : bytes;
        REQUIRE((slot->block = hak_realloc(slot->block, bytes)) != NULL);
        REQUIRE(kept_bytes < 64 || pattern_holds_prefix(slot->block, kept_bytes - 16, slot->bytes, slot->key));
    }
    }
    slot->bytes = bytes;
    REQUIRE_AT_LEAST(hak_usable_size(slot->block), bytes);
    REQUIRE(hak_owns(slot->block) && hak_owns(slot->block + bytes - 1));
    fill_slot(slot, key);
}

static void changes_keep_contents(void *burst_bytes) {
    enum { SLOTS = 6, CHANGES = 1500 };
    Slot slots[SLOTS] = {{NULL, 0, 0}};
    Random random = random_start(random_seed());
    stats_option_set("retain_burst_bytes", burst_bytes);
    for (size_t count = 0; count < CHANGES * suite_scale(); count++) {
        change(&slots[random_below(&random, SLOTS)], &random, count);
        if (count % 64 == 0) REQUIRE_EQUAL(hak_check(), 0);
        if (count % 64 == 0) (void)stats_checked();
        if (count % 256 == 0) (void)hak_trim();
    }
    for (size_t number = 0; number < SLOTS; number++) {
        if (slots[number].block != NULL)
            REQUIRE(pattern_holds(slots[number].block, slots[number].bytes, slots[number].key));
        hak_free(slots[number].block);
    }
    stats_require_all_returned();
}

static void test_contents(void **state) {
    (void)state;
    child_must_succeed(changes_keep_contents, "1000000");
    child_must_succeed(changes_keep_contents, "16777216");
    child_must_succeed(changes_keep_contents, "1000000000");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_built_without_page_faults),
        cmocka_unit_test(test_another_length),
        cmocka_unit_test(test_within_the_bounds),
        cmocka_unit_test(test_contents),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
