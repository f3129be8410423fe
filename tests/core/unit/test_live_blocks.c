/*
 * unit/test_live_blocks.c - the sum over all heaps is the number of live blocks (I12), which hak_check cannot check:
 * after threads have ended with live blocks, after others freed them, and with heaps that serve again.
 *
 * In unit because it asks for the sum. Large blocks are not in it.
 */
#include "heap/heap_all.h"
#include "support/child.h"
#include "support/stats.h"
#include "support/suite.h"
#include "support/threads.h"

enum { THREADS = 3, ROUNDS = 4, BLOCKS = 5000 };

static void *blocks[THREADS][BLOCKS];

static size_t size_of(size_t number) { return 16 + number % 61 * 24; }

static void *hold(void *row) {
    void **held = row;
    for (size_t number = 0; number < BLOCKS; number++) REQUIRE((held[number] = hak_malloc(size_of(number))) != NULL);
    return NULL;
}

/* Frees what an ended thread has left, half of it in a thread of its own. */
static void *free_first_half(void *row) {
    void **held = row;
    for (size_t number = 0; number < BLOCKS / 2; number++) hak_free(held[number]);
    return NULL;
}

static void sum_is_exact(void *unused) {
    (void)unused;
    void *own = hak_malloc(100);
    REQUIRE_EQUAL(heap_live_blocks(), 1);
    for (size_t round = 0; round < ROUNDS; round++) {
        for (size_t number = 0; number < THREADS; number++) {
            threads_join(threads_start(hold, blocks[number]));
            REQUIRE_EQUAL(heap_live_blocks(), 1 + (number + 1) * BLOCKS);
        }
        for (size_t number = 0; number < THREADS; number++) {
            size_t others = 1 + (THREADS - 1 - number) * BLOCKS;
            threads_join(threads_start(free_first_half, blocks[number]));
            REQUIRE_EQUAL(heap_live_blocks(), others + BLOCKS - BLOCKS / 2);
            for (size_t index = BLOCKS / 2; index < BLOCKS; index++) hak_free(blocks[number][index]);
            REQUIRE_EQUAL(heap_live_blocks(), others);
        }
    }
    hak_free(own);
    REQUIRE_EQUAL(heap_live_blocks(), 0);
    stats_require_all_returned();
}

static void test_sum_is_exact(void **state) {
    (void)state;
    child_must_succeed(sum_is_exact, NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_sum_is_exact)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
