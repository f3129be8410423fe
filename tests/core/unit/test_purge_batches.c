/*
 * unit/test_purge_batches.c - slabs whose free OS pages are no neighbours: a purge takes as many slabs for one call of
 * the kernel as have room in it, whatever the number of ranges in each.
 *
 * In unit because the link wraps the call.
 */
#include <string.h>

#include "platform/os.h"
#include "support/child.h"
#include "support/pattern.h"
#include "support/resident.h"
#include "support/stats.h"
#include "support/suite.h"

enum { SLABS = 40, BLOCK_BYTES = 1024, BLOCKS = SLABS * (int)SLAB_BYTES / BLOCK_BYTES };

static char *blocks[BLOCKS];
static unsigned calls, ranges_total;

uint64_t __real_hak_core_os_purge_ranges(const OsRange *ranges, unsigned count);
uint64_t __wrap_hak_core_os_purge_ranges(const OsRange *ranges, unsigned count);

uint64_t __wrap_hak_core_os_purge_ranges(const OsRange *ranges, unsigned count) {
    REQUIRE_AT_MOST(count, OS_RANGES_MAX);
    calls++;
    ranges_total += count;
    return __real_hak_core_os_purge_ranges(ranges, count);
}

/* Frees every second OS page of each slab, up to so many. A call has 64 ranges at most: no multiple of 3, 5, 6 or 7. */
static void purge_with_ranges(void *ranges_pointer) {
    size_t ranges = *(size_t *)ranges_pointer;
    stats_option_set("retain_bytes", "1000000000000"); /* no purge but the trim's */
    for (size_t number = 0; number < BLOCKS; number++) {
        REQUIRE((blocks[number] = hak_malloc(BLOCK_BYTES)) != NULL);
        pattern_fill(blocks[number], BLOCK_BYTES, number);
    }
    for (size_t number = 0; number < BLOCKS; number++) {
        size_t os_page = (uintptr_t)blocks[number] % SLAB_BYTES / os_page_bytes;
        if (os_page % 2 != 0 || os_page / 2 >= ranges) continue;
        hak_free(blocks[number]);
        blocks[number] = NULL;
    }
    hak_thread_flush();
    REQUIRE_AT_LEAST(stats_checked().free_resident_bytes, (SLABS - 2) * ranges * os_page_bytes);
    (void)hak_trim();
    REQUIRE_AT_LEAST(ranges_total, (SLABS - 2) * ranges);
    REQUIRE_AT_LEAST(calls, ranges_total / OS_RANGES_MAX);
    REQUIRE_EQUAL(stats_checked().free_resident_bytes, 0);
    REQUIRE_EQUAL(hak_check(), 0);
    for (size_t number = 0; number < BLOCKS; number++)
        if (blocks[number] != NULL) REQUIRE(pattern_holds(blocks[number], BLOCK_BYTES, number));
    for (size_t number = 0; number < BLOCKS; number++) hak_free(blocks[number]);
    stats_require_all_returned();
}

static void test_batches(void **state) {
    (void)state;
    size_t ranges_max = SLAB_BYTES / resident_os_page_bytes() / 2;
    if (ranges_max == 0) skip(); /* a slab is one OS page */
    for (size_t ranges = 1; ranges <= ranges_max; ranges++) child_must_succeed(purge_with_ranges, &ranges);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_batches)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
