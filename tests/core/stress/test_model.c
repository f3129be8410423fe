/*
 * stress/test_model.c - the model test: random operations against a reference (support/model.h).
 *
 *   HAK_TEST_SEED=n    repeats a run; the seed of each is printed
 *   HAK_TEST_SCALE=n   n times as many steps
 */
#include "support/model.h"

#include "support/random.h"
#include "support/resident.h"
#include "support/suite.h"

static void test_small_blocks(void **state) {
    (void)state;
    model_run(random_seed(), (ModelLimits){150000 * suite_scale(), 20000, 32768, 10000});
}

static void test_all_sizes(void **state) {
    (void)state;
    model_run(random_seed(), (ModelLimits){40000 * suite_scale(), 2000, 12 * MIB, 2000});
}

static void test_few_blocks_checked_often(void **state) {
    (void)state;
    model_run(random_seed(), (ModelLimits){20000 * suite_scale(), 100, 3 * MIB, 50});
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_small_blocks),
        cmocka_unit_test(test_all_sizes),
        cmocka_unit_test(test_few_blocks_checked_often),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
