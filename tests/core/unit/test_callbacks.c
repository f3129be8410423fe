/*
 * unit/test_callbacks.c - the calls that hand on what is not theirs: foreign blocks, and requests that a limit refuses.
 */
#include <errno.h>
#include <stdlib.h>

#include "support/stats.h"
#include "support/suite.h"

static void *handed_on;
static size_t handed_on_bytes;
static unsigned calls;

static void *take_foreign(void *context, void *block) {
    REQUIRE(context == &calls);
    handed_on = block;
    calls++;
    return &handed_on;
}

static void *take_foreign_sized(void *context, void *block, size_t size_bytes) {
    handed_on_bytes = size_bytes;
    return take_foreign(context, block);
}

static const size_t sizes[] = {1, 48, 1000, 20000, 32768, 40000, 100000, 3 << 20};
enum { SIZES = sizeof sizes / sizeof *sizes, BLOCKS = 600 };

static void test_free_or(void **state) {
    (void)state;
    static void *blocks[BLOCKS];
    int local = 0;
    void *foreign[] = {NULL, &local, &handed_on, (void *)(uintptr_t)4096};
    calls = 0;
    for (size_t size = 0; size < SIZES; size++) {
        size_t count = sizes[size] > 50000 ? 20 : BLOCKS;
        for (size_t number = 0; number < count; number++) blocks[number] = hak_malloc(sizes[size]);
        for (size_t number = 0; number < count; number++)
            REQUIRE(hak_free_or(blocks[number], take_foreign, &calls) == NULL);
    }
    REQUIRE_EQUAL(calls, 0);
    stats_require_all_returned();
    for (size_t number = 0; number < 4; number++) {
        REQUIRE(hak_free_or(foreign[number], take_foreign, &calls) == &handed_on);
        REQUIRE_EQUAL(calls, number + 1);
        REQUIRE(handed_on == foreign[number]);
    }
    stats_require_all_returned(); /* the attempts are not counted */
}

static void free_or_in(hak_heap_t *heap) {
    int local = 0;
    calls = 0;
    for (size_t size = 0; size < SIZES; size++) {
        void *block = hak_heap_malloc(heap, sizes[size]);
        REQUIRE(block != NULL);
        REQUIRE(hak_heap_free_or(heap, block, sizes[size], take_foreign_sized, &calls) == NULL);
    }
    REQUIRE_EQUAL(calls, 0);
    REQUIRE(hak_heap_free_or(heap, &local, 17, take_foreign_sized, &calls) == &handed_on);
    REQUIRE(handed_on == &local && handed_on_bytes == 17);
    REQUIRE(hak_heap_free_or(heap, NULL, 0, take_foreign_sized, &calls) == &handed_on);
    REQUIRE_EQUAL(calls, 2);
    hak_heap_stats_t stats = stats_of_heap(heap);
    REQUIRE_EQUAL(stats.used_bytes, 0);
    REQUIRE_EQUAL(stats.used_blocks, 0);
}

static void test_heap_free_or(void **state) {
    (void)state;
    for (uint32_t is_private = 0; is_private < 2; is_private++) {
        hak_heap_options_t options = HAK_HEAP_OPTIONS_INIT;
        options.is_private = is_private;
        hak_heap_t *heap = hak_heap_new(&options);
        free_or_in(heap);
        hak_heap_destroy(heap);
    }
    stats_require_all_returned();
}

static void *answer_refusal(void *context, uintptr_t word, size_t size_bytes) {
    REQUIRE(context == &calls);
    REQUIRE_EQUAL(word, 4711);
    REQUIRE_EQUAL(errno, ENOMEM);
    handed_on_bytes = size_bytes;
    calls++;
    return &handed_on;
}

static void test_heap_malloc_or(void **state) {
    (void)state;
    for (uint32_t is_private = 0; is_private < 2; is_private++) {
        hak_heap_options_t options = HAK_HEAP_OPTIONS_INIT;
        options.is_private = is_private;
        options.hard_limit_bytes = 50000;
        hak_heap_t *heap = hak_heap_new(&options);
        calls = 0;
        static const size_t refused[] = {60000, 5 << 20, SIZE_MAX, SIZE_MAX / 2};
        for (size_t number = 0; number < 4; number++) {
            REQUIRE(hak_heap_malloc_or(heap, refused[number], answer_refusal, &calls, 4711) == (void *)&handed_on);
            REQUIRE_EQUAL(calls, number + 1);
            REQUIRE_EQUAL(handed_on_bytes, refused[number]);
        }
        static void *blocks[2000];
        size_t count = 0;
        while ((blocks[count] = hak_heap_malloc_or(heap, 48, answer_refusal, &calls, 4711)) != (void *)&handed_on)
            count++;
        REQUIRE_EQUAL(count, 50000 / 48);
        while (count > 0) hak_heap_free(heap, blocks[--count]);
        hak_heap_destroy(heap);
    }
    stats_require_all_returned();
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_free_or),
        cmocka_unit_test(test_heap_free_or),
        cmocka_unit_test(test_heap_malloc_or),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
