/*
 * unit/test_heaps.c - heaps of a host: counts, limits, privacy, and an end that takes everything with it.
 *
 * In unit because it looks at the slab a block lies in.
 */
#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/base.h"
#include "support/child.h"
#include "support/pattern.h"
#include "support/random.h"
#include "support/resident.h"
#include "support/stats.h"
#include "support/suite.h"
#include "support/threads.h"

static hak_heap_t *heap_with(uint32_t is_private, uint32_t alignment_bytes, uint64_t soft, uint64_t hard) {
    hak_heap_options_t options = HAK_HEAP_OPTIONS_INIT;
    options.is_private = is_private;
    options.alignment_bytes = alignment_bytes;
    options.soft_limit_bytes = soft;
    options.hard_limit_bytes = hard;
    hak_heap_t *heap = hak_heap_new(&options);
    REQUIRE(heap != NULL);
    return heap;
}

/* ---- Counts and limits ---- */

static void counts_are_exact(uint32_t is_private) {
    hak_heap_t *heap = heap_with(is_private, 8, 0, 0);
    uint64_t sum_bytes = 0, peak_bytes = 0;
    enum { COUNT = 3000 };
    static void *blocks[COUNT];
    Random random = random_start(random_seed());
    for (size_t step = 0; step < 20000; step++) {
        size_t slot = random_below(&random, COUNT), size = random_size(&random, 3 * MIB);
        sum_bytes -= hak_usable_size(blocks[slot]);
        switch (random_below(&random, 3)) {
        case 0:
            hak_heap_free(heap, blocks[slot]);
            blocks[slot] = hak_heap_malloc(heap, size);
            break;
        case 1: {
            void *resized = hak_heap_realloc(heap, blocks[slot], size);
            REQUIRE(resized != NULL);
            blocks[slot] = resized;
            break;
        }
        default: hak_heap_free(heap, blocks[slot]); blocks[slot] = NULL;
        }
        sum_bytes += hak_usable_size(blocks[slot]);
        if (sum_bytes > peak_bytes) peak_bytes = sum_bytes;
        REQUIRE_EQUAL(stats_of_heap(heap).used_bytes, sum_bytes);
    }
    REQUIRE_AT_LEAST(stats_of_heap(heap).peak_bytes, peak_bytes);
    REQUIRE_EQUAL(hak_check(), 0);
    size_t left = 0;
    for (size_t slot = 0; slot < COUNT; slot++) left += blocks[slot] != NULL;
    REQUIRE_EQUAL(stats_of_heap(heap).used_blocks, left);
    for (size_t slot = 0; slot < COUNT; slot++) hak_heap_free(heap, blocks[slot]), blocks[slot] = NULL;
    REQUIRE_EQUAL(stats_of_heap(heap).used_bytes, 0);
    REQUIRE_EQUAL(stats_of_heap(heap).used_blocks, 0);
    hak_heap_destroy(heap);
    stats_require_all_returned();
}

static void test_counts_are_exact(void **state) {
    (void)state;
    counts_are_exact(0);
    counts_are_exact(1);
}

static void test_hard_limit(void **state) {
    (void)state;
    hak_heap_t *heap = heap_with(0, 16, 0, 10000);
    void *first = hak_heap_malloc(heap, 6000);
    REQUIRE(first != NULL);
    pattern_fill(first, 6000, 1);
    errno = 0;
    REQUIRE(hak_heap_malloc(heap, 6000) == NULL);
    REQUIRE_EQUAL(errno, ENOMEM);
    REQUIRE(hak_heap_realloc(heap, first, 20000) == NULL);
    REQUIRE(pattern_holds(first, 6000, 1));
    REQUIRE_EQUAL(stats_of_heap(heap).hard_refusals, 2);
    REQUIRE_EQUAL(stats_of_heap(heap).hard_limit_bytes, 10000);
    REQUIRE_EQUAL(hak_heap_set_limit(heap, 0, 1000), 0); /* below what is held: that stays, and may shrink */
    first = hak_heap_realloc(heap, first, 3000);
    REQUIRE(first != NULL && pattern_holds_prefix(first, 3000, 6000, 1));
    REQUIRE(hak_heap_malloc(heap, 1) == NULL);
    REQUIRE_EQUAL(hak_heap_set_limit(heap, 0, 0), 0);
    void *second = hak_heap_malloc(heap, 6000);
    REQUIRE(second != NULL);
    hak_heap_free(heap, first);
    hak_heap_free(heap, second);
    hak_heap_destroy(heap);
}

/* A runtime that collects garbage when it is refused, and asks again. */
static void test_soft_limit_refuses_once(void **state) {
    (void)state;
    hak_heap_t *heap = heap_with(0, 16, 4096, 8192);
    void *held[8];
    for (size_t number = 0; number < 4; number++) REQUIRE((held[number] = hak_heap_malloc(heap, 1024)) != NULL);
    REQUIRE(hak_heap_malloc(heap, 1024) == NULL);
    for (size_t number = 4; number < 8; number++) REQUIRE((held[number] = hak_heap_malloc(heap, 1024)) != NULL);
    REQUIRE(hak_heap_malloc(heap, 1024) == NULL); /* the hard one */
    REQUIRE_EQUAL(stats_of_heap(heap).soft_refusals, 1);
    REQUIRE_EQUAL(stats_of_heap(heap).hard_refusals, 1);
    for (size_t number = 3; number < 8; number++) hak_heap_free(heap, held[number]);
    REQUIRE((held[3] = hak_heap_malloc(heap, 1024)) != NULL);
    REQUIRE(hak_heap_malloc(heap, 1024) == NULL); /* it had been below: refused again */
    REQUIRE_EQUAL(stats_of_heap(heap).soft_refusals, 2);
    for (size_t number = 0; number < 4; number++) hak_heap_free(heap, held[number]);
    hak_heap_destroy(heap);
}

static void test_peak_is_the_most_that_was_held(void **state) {
    (void)state;
    hak_heap_t *heap = heap_with(0, 16, 0, 0);
    void *large = hak_heap_malloc(heap, 4096), *small = hak_heap_malloc(heap, 64);
    REQUIRE_EQUAL(stats_of_heap(heap).peak_bytes, 4096 + 64);
    large = hak_heap_realloc(heap, large, 64);
    REQUIRE_EQUAL(stats_of_heap(heap).peak_bytes, 4096 + 64);
    hak_heap_free(heap, small);
    REQUIRE_EQUAL(stats_of_heap(heap).peak_bytes, 4096 + 64);
    large = hak_heap_realloc(heap, large, 8192);
    REQUIRE_EQUAL(stats_of_heap(heap).peak_bytes, 8192);
    hak_heap_free(heap, large);
    REQUIRE_EQUAL(stats_of_heap(heap).peak_bytes, 8192);
    hak_heap_destroy(heap);
}

enum { LOW_LIMIT = 2000, HIGH_LIMIT = 20000 };

static void *move_limits(void *heap) {
    for (size_t round = 0; round < 20000; round++) {
        REQUIRE_EQUAL(hak_heap_set_limit(heap, LOW_LIMIT, HIGH_LIMIT), 0);
        REQUIRE_EQUAL(hak_heap_set_limit(heap, 0, LOW_LIMIT), 0);
    }
    return NULL;
}

/* Another thread moves the limits while the owner runs into them: what it set last holds in the end. */
static void test_limits_set_by_another_thread(void **state) {
    (void)state;
    hak_heap_t *heap = heap_with(0, 16, 0, HIGH_LIMIT);
    enum { COUNT = 400 };
    static void *blocks[COUNT];
    for (size_t round = 0; round < 5; round++) {
        pthread_t mover = threads_start(move_limits, heap);
        for (size_t step = 0; step < 200000; step++) {
            size_t slot = step * 7 % COUNT;
            if (blocks[slot] != NULL) {
                hak_heap_free(heap, blocks[slot]);
                blocks[slot] = NULL;
            } else {
                blocks[slot] = hak_heap_malloc(heap, 100);
            }
            REQUIRE_AT_MOST(stats_of_heap(heap).used_bytes, HIGH_LIMIT);
        }
        threads_join(mover);
        for (size_t slot = 0; slot < COUNT; slot++) hak_heap_free(heap, blocks[slot]), blocks[slot] = NULL;
        for (size_t slot = 0; slot < COUNT; slot++) blocks[slot] = hak_heap_malloc(heap, 100);
        REQUIRE_AT_MOST(stats_of_heap(heap).used_bytes, LOW_LIMIT);
        for (size_t slot = 0; slot < COUNT; slot++) hak_heap_free(heap, blocks[slot]), blocks[slot] = NULL;
    }
    hak_heap_destroy(heap);
}

static void test_bad_arguments(void **state) {
    (void)state;
    hak_heap_options_t options = HAK_HEAP_OPTIONS_INIT;
    options.alignment_bytes = 12;
    REQUIRE(hak_heap_new(&options) == NULL && errno == EINVAL);
    options.alignment_bytes = 0;
    options.is_private = 7;
    REQUIRE(hak_heap_new(&options) == NULL && errno == EINVAL);
    options.is_private = 0;
    options.soft_limit_bytes = 2, options.hard_limit_bytes = 1;
    REQUIRE(hak_heap_new(&options) == NULL && errno == EINVAL);
    hak_heap_t *heap = hak_heap_new(NULL);
    REQUIRE(heap != NULL);
    hak_heap_stats_t stats = {0};
    REQUIRE_EQUAL(hak_heap_stats_get(heap, &stats), EINVAL);
    REQUIRE_EQUAL(hak_heap_stats_get(heap, NULL), EINVAL);
    REQUIRE_EQUAL(hak_heap_stats_get(NULL, &stats), EINVAL);
    REQUIRE_EQUAL(hak_heap_set_limit(heap, 2, 1), EINVAL);
    REQUIRE_EQUAL(hak_heap_set_limit(NULL, 0, 0), EINVAL);
    static const volatile size_t monstrous = SIZE_MAX;
    errno = 0;
    REQUIRE(hak_heap_malloc(heap, monstrous) == NULL && errno == ENOMEM);
    void *block = hak_heap_malloc(heap, 0);
    REQUIRE(block != NULL && hak_heap_realloc(heap, block, monstrous - 5) == NULL);
    hak_heap_free(heap, block);
    hak_heap_free(heap, NULL);
    hak_heap_destroy(heap);
    hak_heap_destroy(NULL);
}

/* ---- Private heaps ---- */

enum { TENANTS = 4, BLOCKS_EACH = 4000 };

/* Two heaps never share a slab; nor does a heap share one with its thread. */
static void test_private_slabs_serve_one_heap(void **state) {
    (void)state;
    hak_heap_t *heaps[TENANTS];
    static uintptr_t slabs[TENANTS + 1][BLOCKS_EACH];
    for (size_t tenant = 0; tenant < TENANTS; tenant++) heaps[tenant] = heap_with(1, 8, 0, 0);
    static void *of_thread[BLOCKS_EACH];
    for (size_t number = 0; number < BLOCKS_EACH; number++) {
        size_t size = 16 + number * 37 % 2000;
        for (size_t tenant = 0; tenant < TENANTS; tenant++)
            slabs[tenant][number] = (uintptr_t)hak_heap_malloc(heaps[tenant], size) / SLAB_BYTES;
        slabs[TENANTS][number] = (uintptr_t)(of_thread[number] = hak_malloc(size)) / SLAB_BYTES;
    }
    for (size_t one = 0; one <= TENANTS; one++)
        for (size_t other = 0; other < one; other++)
            for (size_t number = 0; number < BLOCKS_EACH; number += 7)
                for (size_t against = 0; against < BLOCKS_EACH; against += 61)
                    REQUIRE_OP(slabs[one][number], !=, slabs[other][against]);
    for (size_t tenant = 0; tenant < TENANTS; tenant++) hak_heap_destroy(heaps[tenant]);
    for (size_t number = 0; number < BLOCKS_EACH; number++) hak_free(of_thread[number]);
    stats_require_all_returned();
}

/* Blocks of every kind, none of them freed: resident memory falls in that moment, without trim. */
static void destroy_gives_all_back(void *unused) {
    (void)unused;
    hak_free(hak_malloc(1));
    size_t base = resident_bytes();
    hak_heap_t *heap = heap_with(1, 16, 0, 0);
    for (size_t number = 0; number < 200000; number++) memset(hak_heap_malloc(heap, 16 + number % 300), 1, 16);
    for (size_t number = 0; number < 100; number++) memset(hak_heap_malloc(heap, 100000), 1, 100000);
    for (size_t number = 0; number < 3; number++) memset(hak_heap_malloc(heap, 5 * MIB), 1, 5 * MIB);
    REQUIRE_AT_LEAST(resident_bytes() - base, 40 * MIB);
    REQUIRE_EQUAL(hak_check(), 0);
    hak_heap_destroy(heap);
    REQUIRE_AT_MOST(resident_bytes(), base + MIB);
    REQUIRE_EQUAL(stats_checked().live_blocks, 0);
    REQUIRE_EQUAL(hak_check(), 0);
}

static void test_destroy_gives_all_back(void **state) {
    (void)state;
    resident_run(destroy_gives_all_back, NULL);
}

static void hold_some_and_destroy(size_t times) {
    for (size_t round = 0; round < times; round++) {
        hak_heap_t *heap = heap_with(1, 8, 0, 0);
        for (size_t number = 0; number < 500; number++) {
            char *block = hak_heap_malloc(heap, number * 3);
            pattern_fill(block, number * 3, number);
            if (number % 3 == 0) hak_heap_free(heap, block);
        }
        hak_heap_destroy(heap);
    }
}

static void churn(void *unused, size_t number) {
    (void)unused, (void)number;
    hold_some_and_destroy(100);
}

/* While the helper purges, others reclaim, trim, count and check. */
static void trim_count_and_check(void *unused, size_t number) {
    if (number != 0) {
        churn(unused, number);
        return;
    }
    for (size_t round = 0; round < 50; round++) {
        (void)hak_trim();
        (void)stats_now();
        REQUIRE_EQUAL(hak_check(), 0);
    }
}

static void test_many_heaps_in_many_threads(void **state) {
    (void)state;
    threads_run(4, trim_count_and_check, NULL);
    stats_require_all_returned();
}

/* A heap wanders from thread to thread; each finds what the former left. */
typedef struct Wanderer {
    hak_heap_t *heap;
    void *blocks[1000];
} Wanderer;

static void *visit(void *context) {
    Wanderer *wanderer = context;
    for (size_t number = 0; number < 1000; number++) {
        if (wanderer->blocks[number] != NULL) REQUIRE(pattern_holds(wanderer->blocks[number], 8 + number, number));
        if (number % 2 == 0) hak_heap_free(wanderer->heap, wanderer->blocks[number]), wanderer->blocks[number] = NULL;
        if (wanderer->blocks[number] == NULL) {
            wanderer->blocks[number] = hak_heap_malloc(wanderer->heap, 8 + number);
            pattern_fill(wanderer->blocks[number], 8 + number, number);
        }
    }
    return NULL;
}

static void test_a_heap_moves_between_threads(void **state) {
    (void)state;
    for (uint32_t is_private = 0; is_private < 2; is_private++) {
        static Wanderer wanderer;
        memset(&wanderer, 0, sizeof wanderer);
        wanderer.heap = heap_with(is_private, 8, 0, 0);
        for (size_t round = 0; round < 20; round++) threads_join(threads_start(visit, &wanderer));
        for (size_t number = 0; number < 1000; number++) hak_heap_free(wanderer.heap, wanderer.blocks[number]);
        REQUIRE_EQUAL(stats_of_heap(wanderer.heap).used_bytes, 0);
        hak_heap_destroy(wanderer.heap);
        stats_require_all_returned();
    }
}

static void test_a_forked_child_goes_on(void **state) {
    (void)state;
    hak_heap_t *heap = heap_with(1, 8, 0, 0);
    void *block = hak_heap_malloc(heap, 100);
    pattern_fill(block, 100, 5);
    pid_t child = fork();
    if (child == 0) {
        REQUIRE(pattern_holds(block, 100, 5));
        hak_heap_free(heap, block);
        for (size_t number = 0; number < 1000; number++) REQUIRE(hak_heap_malloc(heap, number) != NULL);
        hak_heap_destroy(heap);
        REQUIRE_EQUAL(hak_check(), 0);
        _exit(0);
    }
    int status;
    REQUIRE_EQUAL(waitpid(child, &status, 0), child);
    REQUIRE_EQUAL(status, 0);
    hak_heap_destroy(heap);
}

static void free_in_the_wrong_heap(void *size_pointer) {
    hak_heap_t *one = heap_with(1, 8, 0, 0), *other = heap_with(1, 8, 0, 0);
    hak_heap_free(other, hak_heap_malloc(one, *(size_t *)size_pointer));
}

static void test_the_wrong_heap_is_misuse(void **state) {
    (void)state;
    static const size_t sizes[] = {40, 20000, 100000, 5 << 20};
    for (size_t index = 0; index < 4; index++) {
        size_t size = sizes[index];
        ChildResult result = child_run(free_in_the_wrong_heap, &size);
        child_require_abort(&result, (const char *const[]){"invalid free", "not a block of this heap", NULL});
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_counts_are_exact),
        cmocka_unit_test(test_hard_limit),
        cmocka_unit_test(test_soft_limit_refuses_once),
        cmocka_unit_test(test_peak_is_the_most_that_was_held),
        cmocka_unit_test(test_limits_set_by_another_thread),
        cmocka_unit_test(test_bad_arguments),
        cmocka_unit_test(test_private_slabs_serve_one_heap),
        cmocka_unit_test(test_destroy_gives_all_back),
        cmocka_unit_test(test_many_heaps_in_many_threads),
        cmocka_unit_test(test_a_heap_moves_between_threads),
        cmocka_unit_test(test_a_forked_child_goes_on),
        cmocka_unit_test(test_the_wrong_heap_is_misuse),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
