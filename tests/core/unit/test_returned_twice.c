/*
 * unit/test_returned_twice.c - two threads that free one large block: both have found its place before either took the
 * lock, and the one that comes second is told so.
 *
 * In unit because it calls what the threads call then; that they come there in this order is a matter of luck
 * (death/test_racing_double_free).
 */
#include "superslab/mapping.h"
#include "superslab/registry.h"
#include "superslab/run.h"
#include "superslab/superslab.h"
#include "support/resident.h"
#include "support/stats.h"
#include "support/suite.h"

static Slab *first_slab_of(void *block) {
    return &ptr_to_superslab(block)->slab[(uintptr_t)block / SLAB_BYTES % SLABS_PER_SUPERSLAB];
}

static void require_untouched(const hak_stats_t *before) {
    hak_stats_t after = stats_checked();
    REQUIRE_EQUAL(after.large_bytes, before->large_bytes);
    REQUIRE_EQUAL(after.live_blocks, before->live_blocks);
    REQUIRE_EQUAL(after.mapped_bytes, before->mapped_bytes);
    REQUIRE_EQUAL(hak_check(), 0);
}

static void test_run(void **state) {
    (void)state;
    void *neighbour = hak_malloc(100000), *block = hak_malloc(100000);
    REQUIRE(neighbour != NULL && block != NULL);
    Slab *first = first_slab_of(block);
    REQUIRE(run_return(first, block));
    hak_stats_t before = stats_now();
    REQUIRE(!run_return(first, block));
    require_untouched(&before);
    hak_free(neighbour);
    stats_require_all_returned();
}

static void test_mapping(void **state) {
    (void)state;
    stats_option_set("retain_bytes", "100000000"); /* a free mapping stays mapped */
    void *block = hak_malloc(3 * MIB);
    REQUIRE(block != NULL);
    SuperSlab *mapping = ptr_to_superslab(block);
    REQUIRE(mapping_return(mapping, block));
    hak_stats_t before = stats_now();
    REQUIRE(!mapping_return(mapping, block));
    require_untouched(&before);
    stats_require_all_returned();
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_run), cmocka_unit_test(test_mapping)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
