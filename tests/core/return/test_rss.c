/*
 * return/test_rss.c - resident memory, as the kernel counts it, falls after frees: per size class, at once and in an
 * idle process; with scattered survivors to the OS pages that hold them; and trim gives back what it says.
 *
 * Each case is a process of its own.
 */
#include <stdio.h>
#include <string.h>

#include "support/child.h"
#include "support/pattern.h"
#include "support/random.h"
#include "support/resident.h"
#include "support/stats.h"
#include "support/suite.h"
#include "support/threads.h"

enum { GROWN_MIB = 200, IDLE_MS = 400, SLACK_MIB = 1 };

static void **blocks; /* outside of what is measured: written once before the base is taken */

static void blocks_prepare(size_t count) {
    blocks = malloc(count * sizeof *blocks);
    REQUIRE(blocks != NULL);
    memset(blocks, 0xFF, count * sizeof *blocks);
}

static size_t grow(size_t block_bytes) {
    size_t count = GROWN_MIB * MIB / block_bytes;
    for (size_t number = 0; number < count; number++) {
        blocks[number] = hak_malloc(block_bytes);
        memset(blocks[number], 1, block_bytes < 64 ? block_bytes : 64);
        for (size_t offset = 64; offset < block_bytes; offset += 2048) ((char *)blocks[number])[offset] = 1;
    }
    return count;
}

static void require_resident_at_most(size_t base_bytes, size_t more_bytes) {
    size_t now = resident_bytes();
    if (now > base_bytes + more_bytes)
        fprintf(stderr, "resident %zu KiB above the base, allowed %zu\n", (now - base_bytes) >> 10, more_bytes >> 10);
    REQUIRE_AT_MOST(now, base_bytes + more_bytes);
}

/* ---- Everything dies ---- */

static void free_all_and_idle(void *block_bytes_pointer) {
    size_t block_bytes = *(size_t *)block_bytes_pointer;
    blocks_prepare(GROWN_MIB * MIB / block_bytes);
    hak_free(hak_malloc(block_bytes));
    size_t base = resident_bytes();
    size_t count = grow(block_bytes);
    REQUIRE_AT_LEAST(resident_bytes() - base, (GROWN_MIB - 10) * MIB);
    for (size_t number = 0; number < count; number++) hak_free(blocks[number]);
    require_resident_at_most(base, 16 * MIB + GROWN_MIB * MIB / 20);
    resident_sleep_ms(IDLE_MS); /* nobody calls: the helper works */
    require_resident_at_most(base, (4 + SLACK_MIB) * MIB);
}

static const size_t classes[] = {16, 48, 512, 1024, 4096, 20000, 100000, 3000000};
enum { CLASSES = sizeof classes / sizeof *classes };

static void run_for_each_class(void (*run)(void *)) {
    if (resident_is_distorted()) skip();
    for (size_t index = 0; index < CLASSES; index++) {
        size_t block_bytes = classes[index];
        ChildResult result = child_run(run, &block_bytes);
        if (result.exit_code != 0) print_error("blocks of %d bytes:\n", (int)block_bytes);
        child_require_success(&result);
    }
}

static void test_free_all(void **state) {
    (void)state;
    run_for_each_class(free_all_and_idle);
}

/* ---- One in a thousand lives ---- */

static size_t os_pages_touched(void *block, size_t bytes, size_t page_bytes) {
    return ((uintptr_t)block + bytes - 1) / page_bytes - (uintptr_t)block / page_bytes + 1;
}

static void keep_few_and_idle(void *block_bytes_pointer) {
    size_t block_bytes = *(size_t *)block_bytes_pointer, floor_bytes = 0, live_bytes = 0;
    size_t page_bytes = resident_os_page_bytes();
    blocks_prepare(GROWN_MIB * MIB / block_bytes);
    hak_free(hak_malloc(block_bytes));
    size_t base = resident_bytes();
    size_t count = grow(block_bytes);
    for (size_t number = 0; number < count; number++) {
        if (number % 1000 != 500) {
            hak_free(blocks[number]);
            continue;
        }
        floor_bytes += os_pages_touched(blocks[number], block_bytes, page_bytes) * page_bytes;
        live_bytes += block_bytes;
        pattern_fill(blocks[number], block_bytes, number);
    }
    resident_sleep_ms(IDLE_MS);
    /* Metadata: one OS page of bitmaps and headers for each 2 MiB at least, two percent at most. */
    size_t metadata_bytes = GROWN_MIB * MIB / 50;
    require_resident_at_most(base, floor_bytes + metadata_bytes + (4 + SLACK_MIB) * MIB + live_bytes / 20);
    for (size_t number = 500; number < count; number += 1000) {
        REQUIRE(pattern_holds(blocks[number], block_bytes, number));
        hak_free(blocks[number]);
    }
    (void)hak_trim();
    require_resident_at_most(base, (SLACK_MIB + 1) * MIB);
}

static void test_scattered_survivors(void **state) {
    (void)state;
    run_for_each_class(keep_few_and_idle);
}

/* ---- A thread that sleeps for ever holds nothing of what others freed ---- */

enum { PARKED = 16, PARKED_BLOCKS = 20000 };
static void *parked_blocks[PARKED][PARKED_BLOCKS];
static Story parked_stories[PARKED];

static void *allocate_and_block(void *number_pointer) {
    size_t number = *(size_t *)number_pointer;
    for (size_t place = 0; place < PARKED_BLOCKS; place++)
        memset(parked_blocks[number][place] = hak_malloc(600), 1, 600);
    for (size_t place = 0; place < 20; place++) hak_free(hak_malloc((size_t)64 << place % 8)); /* fills its magazines */
    story_reach(&parked_stories[number], 1);
    story_await(&parked_stories[number], 2);
    return NULL;
}

static void free_what_parked_threads_made(void *unused) {
    (void)unused;
    pthread_t threads[PARKED];
    size_t numbers[PARKED];
    memset(parked_blocks, 1, sizeof parked_blocks);
    hak_free(hak_malloc(1));
    for (size_t number = 0; number < PARKED; number++) parked_stories[number] = (Story)STORY_START;
    size_t base = resident_bytes();
    for (size_t number = 0; number < PARKED; number++) {
        numbers[number] = number;
        threads[number] = threads_start(allocate_and_block, &numbers[number]);
    }
    for (size_t number = 0; number < PARKED; number++) story_await(&parked_stories[number], 1);
    for (size_t number = 0; number < PARKED; number++)
        for (size_t place = 0; place < PARKED_BLOCKS; place++) hak_free(parked_blocks[number][place]);
    resident_sleep_ms(IDLE_MS);
    /* Of each thread: its stack, and its heap's magazines. */
    require_resident_at_most(base, (4 + SLACK_MIB) * MIB + PARKED * (size_t)96 * 1024);
    for (size_t number = 0; number < PARKED; number++) story_reach(&parked_stories[number], 2);
    for (size_t number = 0; number < PARKED; number++) threads_join(threads[number]);
}

static void test_parked_threads(void **state) {
    (void)state;
    resident_run(free_what_parked_threads_made, NULL);
}

/* Cached blocks that each pin an OS page of their own, in many classes; the last free of all is a fast path. */
static void idle_after_a_scattered_cache(void *unused) {
    (void)unused;
    enum { CLASS_COUNT = 24, PER_CLASS = 40000 };
    static void *kept[CLASS_COUNT][256];
    blocks_prepare(PER_CLASS);
    hak_free(hak_malloc(1));
    size_t base = resident_bytes();
    for (size_t class = 0; class < CLASS_COUNT; class++) {
        size_t block_bytes = 16 + 16 * class, kept_count = 0;
        uintptr_t last_page = 0;
        for (size_t number = 0; number < PER_CLASS; number++) blocks[number] = hak_malloc(block_bytes);
        for (size_t number = 0; number < PER_CLASS; number++) {
            uintptr_t page = (uintptr_t)blocks[number] / 4096;
            if (page != last_page && kept_count < 256 && number % 3 == 0) {
                kept[class][kept_count++] = blocks[number];
                last_page = page;
            } else {
                hak_free(blocks[number]);
            }
        }
        for (; kept_count < 256; kept_count++) kept[class][kept_count] = NULL;
    }
    resident_sleep_ms(IDLE_MS);
    for (size_t class = 0; class < CLASS_COUNT; class++)
        for (size_t number = 0; number < 256; number++) hak_free(kept[class][number]);
    resident_sleep_ms(IDLE_MS);
    REQUIRE_EQUAL(stats_now().live_blocks, 0);
    require_resident_at_most(base, (4 + SLACK_MIB) * MIB);
}

static void test_idle_after_a_scattered_cache(void **state) {
    (void)state;
    resident_run(idle_after_a_scattered_cache, NULL);
}

/* ---- Trim says the truth ---- */

static void trim_says_the_truth(void *block_bytes_pointer) {
    size_t block_bytes = *(size_t *)block_bytes_pointer;
    blocks_prepare(GROWN_MIB * MIB / block_bytes);
    stats_option_set("retain_bytes", "1000000000000"); /* nothing goes before */
    stats_option_set("retain_burst_bytes", "1000000000000");
    size_t count = grow(block_bytes);
    for (unsigned round = 0; round < 2; round++) {
        for (size_t number = 0; number < count; number++)
            if (round == 1 ? blocks[number] != NULL : number % 100 != 0) {
                hak_free(blocks[number]);
                blocks[number] = NULL;
            }
        hak_thread_flush();
        size_t before = resident_bytes();
        size_t given_back = hak_trim();
        size_t after = resident_bytes();
        size_t fallen = before > after ? before - after : 0;
        size_t apart = given_back > fallen ? given_back - fallen : fallen - given_back;
        size_t headers_bytes = GROWN_MIB / 2 * 3 * resident_os_page_bytes(); /* go too, but serve no blocks */
        if (apart > fallen / 100 + headers_bytes)
            fprintf(stderr, "round %u: trim said %zu KiB, the kernel %zu\n", round, given_back >> 10, fallen >> 10);
        REQUIRE_AT_MOST(apart, fallen / 100 + headers_bytes);
        REQUIRE_AT_MOST(hak_trim(), 64 * 1024); /* there is no more */
    }
}

static void test_trim_says_the_truth(void **state) {
    (void)state;
    run_for_each_class(trim_says_the_truth);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_free_all),
        cmocka_unit_test(test_scattered_survivors),
        cmocka_unit_test(test_parked_threads),
        cmocka_unit_test(test_idle_after_a_scattered_cache),
        cmocka_unit_test(test_trim_says_the_truth),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
