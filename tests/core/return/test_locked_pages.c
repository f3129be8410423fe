/*
 * return/test_locked_pages.c - OS pages that the kernel refuses to take, because the host has locked them, among others
 * of the same slabs: they count as resident, and go once they are unlocked.
 */
#include <string.h>
#include <sys/mman.h>

#include "support/child.h"
#include "support/resident.h"
#include "support/stats.h"
#include "support/suite.h"

enum { SLAB_BYTES = 65536, BLOCK_BYTES = 1024, BLOCKS = 2048, PAGES_PER_SURVIVOR = 4 };

static char *blocks[BLOCKS];

/* The first block in every fourth OS page stays, so that each slab has several ranges to give back. */
static bool stays(const char *block) {
    size_t page_bytes = resident_os_page_bytes(), offset = (uintptr_t)block % SLAB_BYTES;
    return offset % page_bytes < BLOCK_BYTES && offset / page_bytes % PAGES_PER_SURVIVOR == 0;
}

/* A free OS page behind the second survivor of a slab in the middle, or the first where a slab has one. */
static char *page_to_lock(void) {
    size_t page_bytes = resident_os_page_bytes();
    char *slab = (char *)((uintptr_t)blocks[BLOCKS / 2] & ~(uintptr_t)(SLAB_BYTES - 1));
    return slab + (SLAB_BYTES / page_bytes > PAGES_PER_SURVIVOR ? PAGES_PER_SURVIVOR + 1 : 1) * page_bytes;
}

static void locked_page_stays_counted(void *unused) {
    (void)unused;
    size_t page_bytes = resident_os_page_bytes();
    stats_option_set("purge_delay_ms", "3600000"); /* the trims below are the only purges */
    for (size_t number = 0; number < BLOCKS; number++) memset(blocks[number] = hak_malloc(BLOCK_BYTES), 1, BLOCK_BYTES);
    char *locked = page_to_lock();
    REQUIRE_EQUAL(resident_bytes_in(locked, page_bytes), page_bytes);
    REQUIRE_EQUAL(mlock(locked, page_bytes), 0);
    for (size_t number = 0; number < BLOCKS; number++)
        if (!stays(blocks[number])) hak_free(blocks[number]);
    for (unsigned trims = 0; trims < 4; trims++) (void)hak_trim(); /* each ends at the refusal */
    REQUIRE_EQUAL(resident_bytes_in(locked, page_bytes), page_bytes);
    uint64_t free_bytes =
        stats_checked().free_resident_bytes; /* with its neighbours, which went in one range with it */
    REQUIRE_AT_LEAST(free_bytes, page_bytes);
    REQUIRE_AT_MOST(free_bytes, (PAGES_PER_SURVIVOR - 1) * page_bytes);
    REQUIRE_EQUAL(hak_check(), 0);
    REQUIRE_EQUAL(munlock(locked, page_bytes), 0);
    (void)hak_trim();
    REQUIRE_EQUAL(resident_bytes_in(locked, page_bytes), 0);
    REQUIRE_EQUAL(stats_checked().free_resident_bytes, 0);
    for (size_t number = 0; number < BLOCKS; number++)
        if (stays(blocks[number])) hak_free(blocks[number]);
    stats_require_all_returned();
}

static void test_locked_page_stays_counted(void **state) {
    (void)state;
    if (resident_is_distorted() || resident_os_page_bytes() == SLAB_BYTES) skip();
    child_must_succeed(locked_page_stays_counted, NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_locked_page_stays_counted)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
