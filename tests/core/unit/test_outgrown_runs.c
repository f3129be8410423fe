/*
 * unit/test_outgrown_runs.c - blocks that grow by copies, by turns: each copy compares the free memory with the idle
 * bound, but for the mappings' share, and does not copy all counts of the supply under its lock for that.
 *
 * In unit because the link wraps a function of the core.
 */
#include <string.h>

#include "superslab/superslab.h"
#include "support/resident.h"
#include "support/stats.h"
#include "support/suite.h"

static unsigned asked;

SupplyCounts __real_hak_core_superslab_counts(void);
SupplyCounts __wrap_hak_core_superslab_counts(void);
SupplyCounts __wrap_hak_core_superslab_counts(void) {
    asked++;
    return __real_hak_core_superslab_counts();
}

/* The same figure, with the lock and without. */
static void require_mapping_free_bytes(uint64_t bytes) {
    REQUIRE_EQUAL(superslab_mapping_free_bytes(), bytes);
    REQUIRE_EQUAL(__real_hak_core_superslab_counts().mapping_free_bytes, bytes);
}

static char *grow(char *block, size_t bytes) {
    char *grown = hak_realloc(block, bytes);
    REQUIRE(grown != NULL);
    memset(grown, 1, bytes);
    return grown;
}

static void test_mapping_free_bytes(void **state) {
    (void)state;
    stats_option_set("purge_delay_ms", "1000000");
    stats_option_set("retain_bytes", "1000000000");
    require_mapping_free_bytes(0);
    char *block = grow(NULL, 3 * MIB), *other = grow(NULL, 5 * MIB);
    require_mapping_free_bytes(0);
    REQUIRE(hak_realloc(block, 2 * MIB) == block); /* with a tail */
    require_mapping_free_bytes(MIB);
    hak_free(other);
    require_mapping_free_bytes(6 * MIB);
    hak_free(block);
    require_mapping_free_bytes(7 * MIB);
    (void)hak_trim();
    require_mapping_free_bytes(0);
}

static void test_copies_ask_for_no_counts(void **state) {
    enum { BLOCKS = 4, STEP_BYTES = 100 * 1000, STEPS = 8 };
    (void)state;
    char *block[BLOCKS] = {NULL};
    unsigned copies = 0;
    asked = 0;
    for (size_t step = 1; step <= STEPS; step++)
        for (size_t number = 0; number < BLOCKS; number++) {
            char *grown = grow(block[number], step * STEP_BYTES);
            copies += step > 1 && grown != block[number];
            block[number] = grown;
        }
    REQUIRE_OP(copies, >, 0);
    REQUIRE_EQUAL(asked, 0);
    for (size_t number = 0; number < BLOCKS; number++) hak_free(block[number]);
    stats_require_all_returned();
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_mapping_free_bytes),
        cmocka_unit_test(test_copies_ask_for_no_counts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
