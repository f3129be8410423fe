/*
 * unit/test_mapping_touched.c - how many OS pages of mappings count as touched for the first time: those that the
 * kernel has to back, and none that a block, or a free mapping that became longer, brings along.
 *
 * In unit because it reads the core's count, which the burst bound is learned from.
 */
#define _GNU_SOURCE
#include <sys/mman.h>

#include "superslab/mapping.h"
#include "superslab/registry.h"
#include "support/pattern.h"
#include "support/resident.h"
#include "support/stats.h"
#include "support/suite.h"

#ifndef MAP_FIXED_NOREPLACE
#define MAP_FIXED_NOREPLACE 0x100000 /* since Linux 4.17; the headers of some C libraries are older */
#endif

enum { KEY = 5 };

/* hak_check gives back what exceeds the idle bound. */
static void keep_all(void) {
    stats_option_set("retain_bytes", "1000000000");
    stats_option_set("purge_delay_ms", "1000000");
    stats_option_set("retain_burst_bytes", "1000000000");
}

static uint64_t touched_bytes(void) { return atomic_load(&first_touched_bytes); }

/* A mapping that ends at `end` has to move when it grows. */
static void occupy(char *end) {
    (void)mmap(end, os_page_bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
}

static void test_moved(void **state) {
    (void)state;
    keep_all();
    char *block = pattern_block(3 * MIB, KEY);
    occupy(block + 4 * MIB);
    uint64_t before_bytes = touched_bytes();
    char *grown = hak_realloc(block, 9 * MIB);
    REQUIRE(grown != NULL && grown != block);
    REQUIRE(pattern_holds_prefix(grown, 3 * MIB, 3 * MIB, KEY));
    REQUIRE_EQUAL(touched_bytes() - before_bytes, 6 * MIB);

    /* A free mapping that becomes longer moves with what the last block and its tail have touched. */
    REQUIRE(hak_realloc(grown, 8 * MIB) == grown);
    occupy(grown + 10 * MIB);
    hak_free(grown);
    uint64_t free_bytes = stats_checked().free_resident_bytes;
    before_bytes = touched_bytes();
    block = pattern_block(20 * MIB, KEY);
    REQUIRE(block != grown);
    REQUIRE_EQUAL(touched_bytes() - before_bytes, 20 * MIB - free_bytes);
    hak_free(block);
    stats_require_all_returned();
}

/* ---- OS pages that no block has touched, in front of a free mapping ---- */

/* A block of 3 MiB with a backed tail of 1 MiB. Behind it two free mappings: of 4 MiB, the last one not backed, and of
 * 6 MiB. */
static char *block_before_hole(void) {
    char *whole = pattern_block(14 * MIB, KEY);
    hak_free(whole);
    char *block = pattern_block(3 * MIB, KEY), *behind = pattern_block(3 * MIB, KEY);
    REQUIRE(block == whole && behind == whole + 4 * MIB);
    hak_free(behind); /* its tail is purged */
    REQUIRE_EQUAL(stats_checked().free_resident_bytes, 10 * MIB);
    return block;
}

static void test_hole_is_touched(void **state) {
    (void)state;
    keep_all();
    char *block = block_before_hole();
    uint64_t before_bytes = touched_bytes();
    REQUIRE(hak_realloc(block, 9 * MIB) == block); /* takes 2 of the 6 MiB */
    REQUIRE_EQUAL(touched_bytes() - before_bytes, MIB);
    REQUIRE_EQUAL(stats_checked().free_resident_bytes, 5 * MIB);
    hak_free(block);
    stats_require_all_returned();
}

/* Each call of the kernel is refused in its turn. The free mappings do not suffice, and the block lies before them. */
static void test_hole_of_a_block_that_does_not_grow(void **state) {
    enum { CALLS_MAX = 40 };
    (void)state;
    keep_all();
    uint64_t call = 0, calls;
    unsigned refused = 0;
    do {
        REQUIRE_OP(++call, <, CALLS_MAX);
        char *block = block_before_hole();
        occupy(block + 14 * MIB);
        uint64_t before_bytes = touched_bytes();
        bool lacks_room;
        os_fault_at(call);
        SuperSlab *mapping = mapping_resize(ptr_to_superslab(block), 16 * MIB, &lacks_room);
        calls = os_fault_calls();
        os_fault_at(0);
        if (mapping == NULL) {
            refused++;
            REQUIRE_EQUAL(touched_bytes(), before_bytes);
            REQUIRE_EQUAL(stats_checked().free_resident_bytes, 10 * MIB);
        } else {
            block = (char *)mapping->base;
            REQUIRE_EQUAL(touched_bytes() - before_bytes, 9 * MIB); /* 4 of it and 3 behind it were backed */
        }
        REQUIRE(pattern_holds_prefix(block, 3 * MIB, 3 * MIB, KEY));
        hak_free(block);
        stats_require_all_returned();
    } while (calls >= call);
    REQUIRE_OP(refused, >, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_moved),
        cmocka_unit_test(test_hole_is_touched),
        cmocka_unit_test(test_hole_of_a_block_that_does_not_grow),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
