/*
 * Blocks above 1 MiB from several threads at once: as soon as one is unmapped, the kernel gives its place to another.
 * Each must stay findable by its address for as long as it lives, and keep its size while others run out of memory.
 */
#include "support/random.h"
#include "support/suite.h"
#include "support/threads.h"

enum { THREADS = 4, ROUNDS = 4000 };

static void allocate_grow_free(void *context, size_t number) {
    Random random = random_start(*(const uint64_t *)context + number);
    for (size_t round = 0; round < ROUNDS * suite_scale(); round++) {
        size_t bytes = ((size_t)1 << 20) + (1 + random_below(&random, 5)) * ((size_t)3 << 19);
        char *block = hak_malloc(bytes);
        REQUIRE(block != NULL);
        block[0] = block[bytes - 1] = (char)number;
        if (random_below(&random, 2) == 0) {
            char *grown = hak_realloc(block, bytes * 2);
            REQUIRE(grown != NULL);
            REQUIRE_EQUAL(grown[bytes - 1], (char)number);
            block = grown;
        }
        REQUIRE_EQUAL(block[0], (char)number);
        REQUIRE(hak_owns(block));
        REQUIRE_AT_LEAST(hak_usable_size(block), bytes);
        hak_free(block);
        if (random_below(&random, 4) == 0) (void)hak_trim();
    }
}

static void mappings_stay_findable_while_others_are_unmapped(void **state) {
    (void)state;
    uint64_t seed = random_seed();
    threads_run(THREADS, allocate_grow_free, &seed);
    REQUIRE_EQUAL(hak_check(), 0);
}

/* A request that fails cuts off what lies behind the blocks of all threads. ThreadSanitizer sees whether it writes
 * what they read. */
static void read_size_or_run_out(void *unused, size_t number) {
    enum { READS = 100, BLOCK_BYTES = (1 << 20) + 1, TOO_MANY_BYTES_SHIFT = 62 };
    (void)unused;
    for (size_t round = 0; round < ROUNDS / 4 * suite_scale(); round++) {
        if (number == 0) {
            REQUIRE(hak_malloc((size_t)1 << TOO_MANY_BYTES_SHIFT) == NULL);
            continue;
        }
        void *block = hak_malloc(BLOCK_BYTES);
        REQUIRE(block != NULL);
        size_t usable_bytes = hak_usable_size(block);
        for (size_t read = 0; read < READS; read++) REQUIRE_EQUAL(hak_usable_size(block), usable_bytes);
        hak_free(block);
    }
}

static void sizes_stay_while_mappings_are_cut(void **state) {
    (void)state;
    threads_run(THREADS, read_size_or_run_out, NULL);
    REQUIRE_EQUAL(hak_check(), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(mappings_stay_findable_while_others_are_unmapped),
        cmocka_unit_test(sizes_stay_while_mappings_are_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
