/*
 * unit/test_zero_unobserved.c - zero active SuperSlabs after N blocks were allocated and freed, read from the supply's
 * own counts. hak_stats_get flushes what zero has left in magazines before it shows figures, so a test that asks it
 * cannot tell whether the last free alone was the death; this one can.
 */
#include "superslab/superslab.h"
#include "support/child.h"
#include "support/suite.h"

enum { ROUNDS = 3, BLOCKS_MAX = 1000000 };
static void *blocks[BLOCKS_MAX];

static void live_and_die(void *count_pointer) {
    size_t count = *(size_t *)count_pointer;
    for (unsigned round = 0; round < ROUNDS; round++) {
        uint64_t died = superslab_counts().died;
        for (size_t number = 0; number < count; number++) REQUIRE((blocks[number] = hak_malloc(16)) != NULL);
        REQUIRE_OP(superslab_counts().active, >, 0);
        for (size_t number = 0; number < count; number++) hak_free(blocks[number]);
        SupplyCounts counts = superslab_counts();
        REQUIRE_EQUAL(counts.active, 0);
        REQUIRE_OP(counts.died, >, died);
    }
}

static void test_many_blocks(void **state) {
    (void)state;
    static const size_t counts[] = {100000, 500000, BLOCKS_MAX};
    for (size_t index = 0; index < sizeof counts / sizeof *counts; index++) {
        size_t count = counts[index];
        child_must_succeed(live_and_die, &count);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_many_blocks)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
