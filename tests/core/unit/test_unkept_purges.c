/*
 * unit/test_unkept_purges.c - a kernel that answers a purge with success and does nothing, as emulators do: what
 * hak_calloc gives is zero, the memory goes back another way, and the figures stay exact.
 *
 * In unit because the link wraps os_call, which process_madvise is called through. For madvise a filter makes the
 * kernel itself answer 0. Each case is a process of its own.
 */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "platform/os.h"
#include "support/child.h"
#include "support/pattern.h"
#include "support/resident.h"
#include "support/sandbox.h"
#include "support/stats.h"
#include "support/suite.h"
#include "unit/answered_syscalls.h"

/* ---- The kernel ---- */

#ifndef SYS_process_madvise
#define SYS_process_madvise 440
#endif

static _Atomic bool ranges_are_unkept;
static _Atomic unsigned unkept_range_calls;

static bool is_answered(long number, const long *argument, long *answer) {
    if (number != SYS_process_madvise || !ranges_are_unkept) return false;
    unkept_range_calls++;
    const OsRange *ranges = (const OsRange *)argument[1];
    for (long index = 0; index < argument[2]; index++) *answer += (long)ranges[index].bytes;
    return true;
}

/* ---- Blocks ---- */

/* Runs, with a block between each two of them that stays, so that a purge has several ranges; and mappings. */
enum { BLOCKS = 12 };
static const size_t block_bytes[BLOCKS] = {40000, 40000, 140000,  140000,  300000,  300000,
                                           90000, 90000, 3 << 20, 3 << 20, 9 << 20, 9 << 20};
static char *block[BLOCKS];

static void take_dirty(void) {
    for (size_t number = 0; number < BLOCKS; number++) {
        REQUIRE((block[number] = hak_malloc(block_bytes[number])) != NULL);
        memset(block[number], 0xEE, block_bytes[number]);
    }
}

static void drop_every_second(void) {
    for (size_t number = 0; number < BLOCKS; number += 2) hak_free(block[number]);
    (void)hak_trim();
    REQUIRE_EQUAL(hak_check(), 0);
}

static void take_zeroed(void) {
    for (size_t number = 0; number < BLOCKS; number += 2) {
        REQUIRE((block[number] = hak_calloc(1, block_bytes[number])) != NULL);
        REQUIRE(pattern_is_zero(block[number], block_bytes[number]));
        memset(block[number], 0xEE, block_bytes[number]);
    }
}

static void drop_all(void) {
    for (size_t number = 0; number < BLOCKS; number++) {
        REQUIRE_EQUAL((unsigned char)block[number][block_bytes[number] - 1], 0xEE);
        hak_free(block[number]);
    }
    stats_require_all_returned();
}

static void zeroed_blocks_are_zero(void) {
    take_dirty();
    for (unsigned round = 0; round < 3; round++) {
        drop_every_second();
        REQUIRE_EQUAL(resident_bytes_in(block[4], 64 << 10), 0); /* the first slab of a run, whose SuperSlab stays */
        REQUIRE_EQUAL(stats_checked().free_resident_bytes, 0);
        take_zeroed();
    }
    drop_all();
}

/* A shrunk block's tail, which the block takes back. */
static void tails_are_zero(void) {
    enum { WHOLE_BYTES = 5 << 20, LEFT_BYTES = 3 << 19 };
    char *resized = hak_malloc(WHOLE_BYTES);
    REQUIRE(resized != NULL);
    memset(resized, 0xEE, WHOLE_BYTES);
    REQUIRE(hak_realloc(resized, LEFT_BYTES) == resized);
    (void)hak_trim();
    REQUIRE(hak_realloc(resized, WHOLE_BYTES) == resized);
    REQUIRE_EQUAL((unsigned char)resized[LEFT_BYTES - 1], 0xEE);
    REQUIRE(pattern_is_zero(resized + LEFT_BYTES, WHOLE_BYTES - LEFT_BYTES));
    hak_free(resized);
    stats_require_all_returned();
}

/* ---- OS pages ---- */

enum { PAGES = 4 };

static char *map_dirty(void) {
    os_initialize(false);
    char *area = mmap(NULL, PAGES * os_page_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    REQUIRE(area != MAP_FAILED);
    memset(area, 0xEE, PAGES * os_page_bytes);
    return area;
}

/* ---- Cases ---- */

/* The first purge of the process is one that counts. */
static void first_purge_is_unkept(void *unused) {
    (void)unused;
    char *area = map_dirty();
    sandbox_answer(SYS_madvise, 0);
    REQUIRE(os_purge(area, PAGES * os_page_bytes));
    REQUIRE(pattern_is_zero(area, PAGES * os_page_bytes));
}

static void advice_is_unkept(void *unused) {
    (void)unused;
    sandbox_answer(SYS_madvise, 0);
    sandbox_answer(SYS_process_madvise, ENOSYS);
    zeroed_blocks_are_zero();
    tails_are_zero();
}

static void both_are_unkept(void *unused) {
    (void)unused;
    ranges_are_unkept = true;
    sandbox_answer(SYS_madvise, 0);
    zeroed_blocks_are_zero();
    tails_are_zero();
    REQUIRE_EQUAL(unkept_range_calls, 1);
}

static void calls_for_ranges_are_unkept(void *unused) {
    (void)unused;
    ranges_are_unkept = true;
    zeroed_blocks_are_zero();
    REQUIRE_EQUAL(unkept_range_calls, 1); /* and it is not asked again */
}

static void test_zero_is_zero(void **state) {
    (void)state;
    resident_run(first_purge_is_unkept, NULL);
    child_must_succeed(advice_is_unkept, NULL);
    child_must_succeed(calls_for_ranges_are_unkept, NULL);
    child_must_succeed(both_are_unkept, NULL);
}

/* A look leaves nothing behind: what the kernel refuses to purge keeps its contents. */
static void refused_memory_is_as_before(void *unused) {
    (void)unused;
    char *area = map_dirty();
    REQUIRE_EQUAL(mlock(area, PAGES * os_page_bytes), 0);
    OsRange ranges[2] = {{area, os_page_bytes}, {area + 2 * os_page_bytes, os_page_bytes}};
    REQUIRE_EQUAL(os_purge_ranges(ranges, 2), 3);
    REQUIRE(!os_purge(area, PAGES * os_page_bytes));
    for (size_t offset = 0; offset < PAGES * os_page_bytes; offset++) REQUIRE_EQUAL((unsigned char)area[offset], 0xEE);
    REQUIRE_EQUAL(munlock(area, PAGES * os_page_bytes), 0);
    REQUIRE(os_purge(area, PAGES * os_page_bytes));
    REQUIRE(pattern_is_zero(area, PAGES * os_page_bytes));
}

static void test_refused_memory_is_as_before(void **state) {
    (void)state;
    resident_run(refused_memory_is_as_before, NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_zero_is_zero),
        cmocka_unit_test(test_refused_memory_is_as_before),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
