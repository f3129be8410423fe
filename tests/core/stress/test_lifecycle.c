/*
 * stress/test_lifecycle.c - the birth and death of SuperSlabs in one thread: N blocks allocated and all freed leave
 * zero active SuperSlabs without a call to trim, three rounds each, for many N, every size class and mixed classes.
 */
#include "support/random.h"
#include "support/stats.h"
#include "support/suite.h"

enum { ROUNDS = 3, BLOCKS_MAX = 1000000 };

static void *blocks[BLOCKS_MAX];

static size_t superslabs_at_least(size_t count, size_t block_bytes) {
    return (count * block_bytes + ((size_t)1 << 21) - 1) >> 21;
}

static void allocate_all(size_t count, size_t block_bytes) {
    for (size_t number = 0; number < count; number++) {
        blocks[number] = hak_malloc(block_bytes);
        REQUIRE(blocks[number] != NULL);
        *(size_t *)blocks[number] = number;
    }
}

static void require_nothing_active(void) {
    hak_stats_t stats = stats_checked();
    REQUIRE_EQUAL(stats.superslabs_active, 0);
    REQUIRE_EQUAL(stats.live_blocks, 0);
    REQUIRE_EQUAL(stats.live_bytes, 0);
    REQUIRE_EQUAL(stats.cached_bytes, 0);
}

typedef enum Order { ASCENDING, DESCENDING, SCATTERED, ORDER_COUNT } Order;

static void free_all(size_t count, Order order) {
    Random random = random_start(count);
    for (size_t number = 0; number < count; number++) {
        size_t place = number;
        if (order == DESCENDING) place = count - 1 - number;
        if (order == SCATTERED) { /* one step of a shuffle */
            place = number + random_below(&random, count - number);
            void *other = blocks[place];
            blocks[place] = blocks[number];
            blocks[number] = other;
            place = number;
        }
        hak_free(blocks[place]);
    }
}

static void live_and_die(size_t count, size_t block_bytes, Order order) {
    for (unsigned round = 0; round < ROUNDS; round++) {
        hak_stats_t before = stats_now();
        allocate_all(count, block_bytes);
        hak_stats_t full = stats_checked();
        REQUIRE_EQUAL(full.live_blocks, count);
        REQUIRE_AT_LEAST(full.superslabs_active, superslabs_at_least(count, block_bytes));
        REQUIRE_AT_LEAST(full.superslabs_born - before.superslabs_born, superslabs_at_least(count, block_bytes));
        free_all(count, order);
        hak_stats_t after = stats_now();
        require_nothing_active();
        REQUIRE_AT_LEAST(after.superslabs_born, full.superslabs_born);
        REQUIRE_EQUAL(after.superslabs_died, after.superslabs_born);
        REQUIRE_EQUAL(after.purged_bytes_total >= before.purged_bytes_total, 1);
    }
    REQUIRE_EQUAL(hak_check(), 0);
}

static void test_few_blocks(void **state) {
    (void)state;
    static const size_t counts[] = {1, 2, 3, 100, 4096, 4097};
    for (size_t index = 0; index < sizeof counts / sizeof *counts; index++)
        for (Order order = ASCENDING; order < ORDER_COUNT; order++) live_and_die(counts[index], 16, order);
}

static void test_100_thousand(void **state) {
    (void)state;
    for (Order order = ASCENDING; order < ORDER_COUNT; order++) live_and_die(100000, 16, order);
}

static void test_500_thousand(void **state) {
    (void)state;
    live_and_die(500000, 16, ASCENDING);
    live_and_die(500000, 16, SCATTERED);
}

static void test_1_million(void **state) {
    (void)state;
    for (Order order = ASCENDING; order < ORDER_COUNT; order++) live_and_die(1000000, 16, order);
}

static void test_every_class(void **state) {
    (void)state;
    static hak_class_stats_t rows[STATS_CLASSES_MAX];
    size_t class_count = hak_stats_classes(rows, STATS_CLASSES_MAX);
    for (size_t index = 0; index < class_count; index++) {
        size_t block_bytes = (size_t)rows[index].block_bytes;
        live_and_die(1, block_bytes, ASCENDING);
        live_and_die(((size_t)5 << 20) / block_bytes, block_bytes, index % 2 == 0 ? ASCENDING : SCATTERED);
    }
}

static void test_large_blocks(void **state) {
    (void)state;
    static const size_t sizes[] = {32769, 40960, 65536, 65537, 200000, 1 << 20, (1 << 20) + 1, 5 << 20};
    for (size_t index = 0; index < sizeof sizes / sizeof *sizes; index++)
        for (unsigned round = 0; round < ROUNDS; round++) {
            allocate_all(20, sizes[index]);
            hak_stats_t full = stats_checked();
            REQUIRE_EQUAL(full.live_blocks, 20);
            REQUIRE_AT_LEAST(full.large_bytes, 20 * sizes[index]);
            REQUIRE_EQUAL(full.large_bytes, full.live_bytes);
            free_all(20, (Order)(index % ORDER_COUNT));
            require_nothing_active();
        }
    REQUIRE_EQUAL(hak_check(), 0);
}

static void test_mixed_classes(void **state) {
    (void)state;
    enum { COUNT = 200000 };
    Random random = random_start(random_seed());
    for (unsigned round = 0; round < ROUNDS; round++) {
        for (size_t number = 0; number < COUNT; number++) {
            blocks[number] = hak_malloc(random_size(&random, number % 1000 == 0 ? 4 << 20 : 2048));
            REQUIRE(blocks[number] != NULL);
        }
        REQUIRE_EQUAL(stats_checked().live_blocks, COUNT);
        free_all(COUNT, (Order)round);
        require_nothing_active();
    }
    REQUIRE_EQUAL(hak_check(), 0);
}

/* What lives already must not keep what comes and goes. */
static void test_with_a_survivor(void **state) {
    (void)state;
    void *survivor = hak_malloc(24);
    *(int *)survivor = 42;
    for (unsigned round = 0; round < ROUNDS; round++) {
        allocate_all(500000, 16);
        free_all(500000, SCATTERED);
        hak_thread_flush();
        hak_stats_t stats = stats_checked();
        REQUIRE_EQUAL(stats.superslabs_active, 1);
        REQUIRE_EQUAL(stats.live_blocks, 1);
    }
    REQUIRE_EQUAL(*(int *)survivor, 42);
    hak_free(survivor);
    require_nothing_active();
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_few_blocks),    cmocka_unit_test(test_100_thousand),
        cmocka_unit_test(test_500_thousand),  cmocka_unit_test(test_1_million),
        cmocka_unit_test(test_every_class),   cmocka_unit_test(test_large_blocks),
        cmocka_unit_test(test_mixed_classes), cmocka_unit_test(test_with_a_survivor),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
