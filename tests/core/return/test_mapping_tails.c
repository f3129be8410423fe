/*
 * return/test_mapping_tails.c - what a block above 1 MiB leaves backed behind its end, because it shrank or because
 * the block before it was larger: the block grows into it without page faults; it is given back by age, by the bounds,
 * by trim and with the block; and it never takes contents along.
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
#include "support/threads.h"

enum { IDLE_MS = 400, OLD_BOUND_MIB = 4, YOUNG_BOUND_MIB = 16, KEY = 7 };

/* In place: else there is no tail to speak of. */
static void resize_in_place(char *block, size_t bytes) {
    char *resized = hak_realloc(block, bytes);
    REQUIRE(resized == block);
}

/* ---- Growing without page faults ---- */

/* From 1.5 MiB to 3 MiB in steps, as a growing array does, every byte written. */
static void grow_without_page_faults(char *block) {
    enum { FAULTS_MAX = 32, STEPS = 6 }; /* a few of code that runs for the first time; of 384 OS pages of 4 KiB */
    size_t first_bytes = 3 * MIB / 2, before = resident_page_faults();
    for (size_t bytes = first_bytes; bytes < 3 * MIB; bytes += MIB / 4) {
        resize_in_place(block, bytes + MIB / 4);
        memset(block + bytes, 1, MIB / 4);
    }
    REQUIRE_AT_MOST(resident_page_faults() - before, FAULTS_MAX);
    REQUIRE(pattern_holds_prefix(block, first_bytes - 64, first_bytes, KEY));
    for (size_t offset = first_bytes; offset < 3 * MIB; offset++) REQUIRE_EQUAL(block[offset], 1);
    REQUIRE_EQUAL(hak_check(), 0);
}

static void smaller_block_grows_as_the_former_did(void *unused) {
    (void)unused;
    char *former = pattern_dirty_block(3 * MIB, KEY);
    hak_free(former);
    size_t before = resident_page_faults();
    char *block = pattern_dirty_block(3 * MIB / 2, KEY);
    REQUIRE(block == former);
    grow_without_page_faults(block);
    REQUIRE_AT_MOST(resident_page_faults() - before, 64);
    hak_free(block);
    stats_require_all_returned();
}

static void shrunk_block_grows_again(void *unused) {
    (void)unused;
    char *block = pattern_dirty_block(3 * MIB, KEY);
    resize_in_place(block, 3 * MIB / 2);
    pattern_fill(block, 3 * MIB / 2, KEY);
    grow_without_page_faults(block);
    resize_in_place(block, 3 * MIB / 2);
    pattern_fill(block, 3 * MIB / 2, KEY);
    resident_sleep_ms(IDLE_MS); /* within the idle bound it stays, however old */
    REQUIRE_EQUAL(resident_bytes_in(block, 3 * MIB), 3 * MIB);
    grow_without_page_faults(block);
    hak_free(block);
    stats_require_all_returned();
}

static void test_growing_without_page_faults(void **state) {
    (void)state;
    resident_run(smaller_block_grows_as_the_former_did, NULL);
    resident_run(shrunk_block_grows_again, NULL);
}

/* ---- Given back ---- */

enum { WHOLE_BYTES = 10 << 20, LEFT_BYTES = 5 << 19, TAIL_BYTES = WHOLE_BYTES - LEFT_BYTES };

static char *shrunk_with_tail(void) {
    char *block = pattern_dirty_block(WHOLE_BYTES, KEY);
    resize_in_place(block, LEFT_BYTES);
    return block;
}

static void require_no_tail(char *block) {
    REQUIRE_EQUAL(resident_bytes_in(block + LEFT_BYTES, TAIL_BYTES), 0);
    REQUIRE_EQUAL(resident_bytes_in(block, LEFT_BYTES), LEFT_BYTES);
    REQUIRE(pattern_holds_prefix(block, LEFT_BYTES, WHOLE_BYTES, KEY));
    hak_stats_t stats = stats_checked();
    REQUIRE_EQUAL(stats.live_bytes, LEFT_BYTES);
    REQUIRE_EQUAL(stats.free_resident_bytes, 0);
    REQUIRE_EQUAL(stats.unbacked_bytes, TAIL_BYTES);
    REQUIRE_EQUAL(hak_check(), 0);
    /* What is taken into the block again is new. */
    resize_in_place(block, WHOLE_BYTES);
    REQUIRE(pattern_is_zero(block + LEFT_BYTES, TAIL_BYTES));
    memset(block + LEFT_BYTES, 1, TAIL_BYTES);
    REQUIRE(pattern_holds_prefix(block, LEFT_BYTES, WHOLE_BYTES, KEY));
    hak_free(block);
    stats_require_all_returned();
}

static void tail_goes_by_age(void *unused) {
    (void)unused;
    char *block = shrunk_with_tail();
    REQUIRE_EQUAL(resident_bytes_in(block, WHOLE_BYTES), WHOLE_BYTES);
    REQUIRE_EQUAL(stats_checked().free_resident_bytes, TAIL_BYTES);
    resident_sleep_ms(IDLE_MS); /* nobody calls: the helper works */
    require_no_tail(block);
}

static void tail_goes_with_trim(void *unused) {
    (void)unused;
    char *block = shrunk_with_tail();
    REQUIRE_EQUAL(resident_bytes_in(block, WHOLE_BYTES), WHOLE_BYTES);
    REQUIRE_AT_LEAST(hak_trim(), TAIL_BYTES);
    require_no_tail(block);
}

static void test_tail_goes_by_age_and_with_trim(void **state) {
    (void)state;
    resident_run(tail_goes_by_age, NULL);
    resident_run(tail_goes_with_trim, NULL);
}

/* The block is freed and never grew: what lies behind it has not been missed. Everything is within the idle bound, so
 * that nothing else gives it back. */
static void tail_goes_with_its_block(void *unused) {
    (void)unused;
    size_t whole_bytes = 4 * MIB, left_bytes = 3 * MIB / 2;
    char *block = pattern_dirty_block(whole_bytes, KEY);
    resize_in_place(block, left_bytes);
    hak_free(block);
    REQUIRE_EQUAL(resident_bytes_in(block, whole_bytes), left_bytes);
    REQUIRE_EQUAL(stats_checked().free_resident_bytes, left_bytes);
    (void)hak_trim();

    char *former = pattern_dirty_block(3 * MIB, KEY);
    hak_free(former);
    block = pattern_dirty_block(3 * MIB / 2, KEY);
    REQUIRE(block == former);
    REQUIRE_EQUAL(resident_bytes_in(block, 3 * MIB), 3 * MIB);
    hak_free(block);
    REQUIRE_EQUAL(resident_bytes_in(block, 3 * MIB), 3 * MIB / 2);
    REQUIRE_EQUAL(stats_checked().free_resident_bytes, 3 * MIB / 2);
    stats_require_all_returned();
}

static void test_tail_goes_with_its_block(void **state) {
    (void)state;
    resident_run(tail_goes_with_its_block, NULL);
}

/* ---- Within the bounds ---- */

static size_t bytes_of_tails(char *const *block, size_t count) {
    size_t bytes = 0;
    for (size_t number = 0; number < count; number++)
        bytes += resident_bytes_in(block[number] + LEFT_BYTES, TAIL_BYTES);
    return bytes;
}

static void many_tails(void *unused) {
    (void)unused;
    enum { BLOCKS = 20 };
    static char *block[BLOCKS];
    size_t most_bytes = 0;
    stats_option_set("learn", "0"); /* the fixed bound */
    for (size_t number = 0; number < BLOCKS; number++) {
        block[number] = shrunk_with_tail();
        size_t tail_bytes = bytes_of_tails(block, number + 1);
        REQUIRE_AT_MOST(tail_bytes, YOUNG_BOUND_MIB * MIB);
        REQUIRE_AT_MOST(stats_checked().free_resident_bytes, YOUNG_BOUND_MIB * MIB);
        if (tail_bytes > most_bytes) most_bytes = tail_bytes;
    }
    REQUIRE_AT_LEAST(most_bytes, YOUNG_BOUND_MIB / 2 * MIB); /* and they are kept as far as that goes */
    AWAIT_AT_MOST(bytes_of_tails(block, BLOCKS), OLD_BOUND_MIB * MIB);
    for (size_t number = 0; number < BLOCKS; number++)
        REQUIRE(pattern_holds_prefix(block[number], LEFT_BYTES, WHOLE_BYTES, KEY));
    REQUIRE_EQUAL(hak_check(), 0);
    for (size_t number = 0; number < BLOCKS; number++) hak_free(block[number]);
    stats_require_all_returned();
}

static void test_many_tails(void **state) {
    (void)state;
    resident_run(many_tails, NULL);
}

/* ---- Zero for calloc ---- */

static void require_zeroed(size_t bytes, const char *place) {
    char *zeroed = hak_calloc(1, bytes);
    REQUIRE(zeroed == place);
    REQUIRE(pattern_is_zero(zeroed, bytes));
    memset(zeroed, 0xEE, bytes);
    hak_free(zeroed);
}

static void reused_is_zero(void *unused) {
    (void)unused;
    char *place = pattern_dirty_block(3 * MIB, KEY);
    hak_free(place);
    require_zeroed(3 * MIB / 2, place); /* smaller than what was there */
    require_zeroed(3 * MIB, place);     /* half of it with nothing behind it now */
    char *block = pattern_dirty_block(3 * MIB / 2, KEY);
    REQUIRE(block == place);
    resize_in_place(block, 3 * MIB);
    memset(block, 0xEE, 3 * MIB);
    resize_in_place(block, 2 * MIB);
    hak_free(block);
    require_zeroed(3 * MIB, place);
    require_zeroed(2 * MIB + 1, place);
    stats_require_all_returned();
}

static void test_reused_is_zero(void **state) {
    (void)state;
    child_must_succeed(reused_is_zero, NULL);
}

/* ---- While others trim ---- */

enum { SECONDS = 2, LEAST_BYTES = 1200 << 10, RANGE_BYTES = 11 << 20 };
static _Atomic bool is_over;

/* Grows into a tail and beyond it, in place and to another place. */
static void resize_with_pattern(uint64_t seed) {
    Random random = random_start(seed);
    size_t bytes = LEAST_BYTES;
    char *block = hak_malloc(bytes);
    REQUIRE(block != NULL);
    pattern_fill(block, bytes, seed);
    while (!atomic_load(&is_over)) {
        size_t next_bytes = LEAST_BYTES + random_below(&random, RANGE_BYTES);
        block = hak_realloc(block, next_bytes);
        REQUIRE(block != NULL);
        REQUIRE(pattern_holds_prefix(block, next_bytes, bytes, seed));
        bytes = next_bytes;
        pattern_fill(block, bytes, ++seed);
        for (unsigned looks = 0; looks < 3; looks++) REQUIRE(pattern_holds(block, bytes, seed));
        if (random_below(&random, 20) != 0) continue;
        hak_free(block);
        block = random_below(&random, 2) == 0 ? hak_malloc(bytes) : hak_calloc(1, bytes);
        REQUIRE(block != NULL);
        pattern_fill(block, bytes, seed);
    }
    hak_free(block);
}

static void trim_again_and_again(void) {
    for (unsigned milliseconds = 0; milliseconds < SECONDS * 1000 * suite_scale(); milliseconds++) {
        for (unsigned trims = 0; trims < 10; trims++) (void)hak_trim();
        if (milliseconds % 64 == 0) REQUIRE_EQUAL(hak_check(), 0);
        resident_sleep_ms(1);
    }
    atomic_store(&is_over, true);
}

static void resize_or_trim(void *seed_pointer, size_t number) {
    if (number == 0)
        trim_again_and_again();
    else
        resize_with_pattern(*(uint64_t *)seed_pointer);
}

/* ---- Zeros ---- */

/* Of a longer block than the last one: what is new in it is zero without being touched. */
static void long_zeros_are_not_touched(void *unused) {
    enum { FORMER_BYTES = 12 << 20, LONG_BYTES = 48 << 20 };
    (void)unused;
    hak_free(pattern_dirty_block(FORMER_BYTES, KEY));
    char *zeros = hak_calloc(1, LONG_BYTES);
    REQUIRE_AT_MOST(resident_bytes_in(zeros, LONG_BYTES), FORMER_BYTES);
    REQUIRE(pattern_is_zero(zeros, LONG_BYTES));
    hak_free(zeros);
    stats_require_all_returned();
}

static void test_long_zeros_are_not_touched(void **state) {
    (void)state;
    resident_run(long_zeros_are_not_touched, NULL);
}

static void resizes_while_another_trims(void *unused) {
    (void)unused;
    uint64_t seed = random_seed();
    threads_run(2, resize_or_trim, &seed);
    stats_require_all_returned();
}

static void test_resizes_while_another_trims(void **state) {
    (void)state;
    child_must_succeed(resizes_while_another_trims, NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_growing_without_page_faults),
        cmocka_unit_test(test_tail_goes_by_age_and_with_trim),
        cmocka_unit_test(test_tail_goes_with_its_block),
        cmocka_unit_test(test_many_tails),
        cmocka_unit_test(test_reused_is_zero),
        cmocka_unit_test(test_long_zeros_are_not_touched),
        cmocka_unit_test(test_resizes_while_another_trims),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
