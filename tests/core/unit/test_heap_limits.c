/*
 * unit/test_heap_limits.c - the limits of a heap, to the byte: whole blocks count, what fills a limit exactly is
 * served, one byte less of limit refuses it, and a heap that falls exactly to its soft limit is refused again above it.
 */
#include <errno.h>

#include "support/stats.h"
#include "support/suite.h"
#include "support/threads.h"

static hak_heap_t *heap_with(uint32_t is_private, uint64_t soft, uint64_t hard) {
    hak_heap_options_t options = HAK_HEAP_OPTIONS_INIT;
    options.is_private = is_private;
    options.soft_limit_bytes = soft;
    options.hard_limit_bytes = hard;
    hak_heap_t *heap = hak_heap_new(&options);
    REQUIRE(heap != NULL);
    return heap;
}

/* Each of these wastes a part of its block, so that a request and its block differ. */
static const size_t sizes[] = {1, 17, 100, 130, 530, 1025, 2049, 4097, 32767, 32769, 100001, 3000001};
enum { SIZES = sizeof sizes / sizeof *sizes, HELD_BYTES = 48 };

static size_t block_bytes_of(size_t size) {
    void *block = hak_malloc(size);
    size_t bytes = hak_usable_size(block);
    hak_free(block);
    return bytes;
}

static void require_refused(hak_heap_t *heap, void *block, uint64_t used_bytes) {
    REQUIRE(block == NULL);
    REQUIRE_EQUAL(errno, ENOMEM);
    REQUIRE_EQUAL(stats_of_heap(heap).used_bytes, used_bytes);
}

/* Twice, since the first request of a class takes another path than the next. */
static void malloc_is_exact(hak_heap_t *heap, size_t size, bool is_soft) {
    uint64_t used_bytes = stats_of_heap(heap).used_bytes, full_bytes = used_bytes + block_bytes_of(size);
    for (unsigned time = 0; time < 2; time++) {
        REQUIRE_EQUAL(hak_heap_set_limit(heap, is_soft ? full_bytes - 1 : 0, is_soft ? 0 : full_bytes - 1), 0);
        require_refused(heap, hak_heap_malloc(heap, size), used_bytes);
        REQUIRE_EQUAL(hak_heap_set_limit(heap, is_soft ? full_bytes : 0, is_soft ? 0 : full_bytes), 0);
        void *block = hak_heap_malloc(heap, size);
        REQUIRE(block != NULL);
        REQUIRE_EQUAL(stats_of_heap(heap).used_bytes, full_bytes);
        hak_heap_free(heap, block);
    }
}

static void realloc_is_exact(hak_heap_t *heap, size_t size) {
    uint64_t used_bytes = stats_of_heap(heap).used_bytes;
    REQUIRE_EQUAL(hak_heap_set_limit(heap, 0, 0), 0);
    void *block = hak_heap_malloc(heap, 1);
    REQUIRE(block != NULL);
    uint64_t before_bytes = stats_of_heap(heap).used_bytes, full_bytes = used_bytes + block_bytes_of(size);
    if (full_bytes > before_bytes) {
        REQUIRE_EQUAL(hak_heap_set_limit(heap, 0, full_bytes - 1), 0);
        require_refused(heap, hak_heap_realloc(heap, block, size), before_bytes);
        REQUIRE_EQUAL(hak_heap_set_limit(heap, 0, full_bytes), 0);
        REQUIRE((block = hak_heap_realloc(heap, block, size)) != NULL);
        REQUIRE_EQUAL(stats_of_heap(heap).used_bytes, full_bytes);
    }
    hak_heap_free(heap, block);
}

static void test_limits_are_exact(void **state) {
    (void)state;
    for (uint32_t is_private = 0; is_private < 2; is_private++) {
        hak_heap_t *heap = heap_with(is_private, 0, 0);
        void *held = hak_heap_malloc(heap, HELD_BYTES);
        for (size_t index = 0; index < SIZES; index++) {
            malloc_is_exact(heap, sizes[index], false);
            malloc_is_exact(heap, sizes[index], true);
            realloc_is_exact(heap, sizes[index]);
        }
        REQUIRE_EQUAL(hak_heap_set_limit(heap, 0, 0), 0);
        hak_heap_free(heap, held);
        REQUIRE_EQUAL(stats_of_heap(heap).used_bytes, 0);
        hak_heap_destroy(heap);
    }
    stats_require_all_returned();
}

/* Between the limits: the soft one refuses once, the hard one is filled to the last byte. */
static void test_heap_that_falls_to_its_soft_limit(void **state) {
    (void)state;
    enum { BLOCK = 1024, BLOCKS = 4 };
    for (uint32_t is_private = 0; is_private < 2; is_private++) {
        hak_heap_t *heap = heap_with(is_private, 2 * BLOCK, BLOCKS * BLOCK);
        void *blocks[BLOCKS];
        for (unsigned time = 1; time < 4; time++) {
            for (size_t number = 0; number < 2; number++)
                REQUIRE((blocks[number] = hak_heap_malloc(heap, BLOCK)) != NULL);
            require_refused(heap, hak_heap_malloc(heap, BLOCK), 2 * BLOCK);
            REQUIRE_EQUAL(stats_of_heap(heap).soft_refusals, 2 * time - 1);
            for (size_t number = 2; number < BLOCKS; number++)
                REQUIRE((blocks[number] = hak_heap_malloc(heap, BLOCK)) != NULL);
            hak_heap_free(heap, blocks[3]);
            hak_heap_free(heap, blocks[2]); /* exactly to the limit */
            require_refused(heap, hak_heap_malloc(heap, BLOCK), 2 * BLOCK);
            REQUIRE_EQUAL(stats_of_heap(heap).soft_refusals, 2 * time);
            for (size_t number = 0; number < 2; number++) hak_heap_free(heap, blocks[number]);
        }
        REQUIRE_EQUAL(stats_of_heap(heap).hard_refusals, 0);
        hak_heap_destroy(heap);
    }
}

/* A runtime that is refused softly frees garbage, which leaves it below the limit, and asks again for a block that is
 * larger than the room below. Growing a block is such a request, too. */
static void test_request_that_comes_again_is_served(void **state) {
    (void)state;
    enum { BLOCK = 1024, SOFT = 8 * BLOCK, TIMES = 3 };
    static const size_t larger[] = {4 * BLOCK, 100000}; /* more than two blocks; more than the soft limit */
    for (uint32_t is_private = 0; is_private < 2; is_private++)
        for (unsigned kind = 0; kind < 4; kind++) {
            hak_heap_t *heap = heap_with(is_private, SOFT, 0);
            size_t size = larger[kind % 2];
            bool is_growing = kind >= 2;
            void *blocks[8];
            for (unsigned time = 1; time <= TIMES; time++) {
                for (size_t number = 0; number < 8; number++)
                    REQUIRE((blocks[number] = hak_heap_malloc(heap, BLOCK)) != NULL);
                void *grown = is_growing ? blocks[7] : NULL;
                require_refused(heap, hak_heap_realloc(heap, grown, size), SOFT);
                hak_heap_free(heap, blocks[0]);
                hak_heap_free(heap, blocks[1]);
                REQUIRE((grown = hak_heap_realloc(heap, grown, size)) != NULL);
                REQUIRE_EQUAL(stats_of_heap(heap).soft_refusals, time);
                hak_heap_free(heap, grown);
                for (size_t number = 2; number < (is_growing ? 7 : 8); number++) hak_heap_free(heap, blocks[number]);
            }
            hak_heap_destroy(heap);
        }
}

/* ---- With a function for refusals ---- */

static void *count_refusal(void *context, uintptr_t word, size_t bytes) {
    REQUIRE_EQUAL(word, bytes + 1);
    ++*(unsigned *)context;
    return NULL;
}

static void test_refusals_are_told_and_nothing_else(void **state) {
    (void)state;
    for (uint32_t is_private = 0; is_private < 2; is_private++) {
        hak_heap_t *heap = heap_with(is_private, 0, 0);
        for (size_t index = 0; index < SIZES; index++) {
            size_t size = sizes[index], bytes = block_bytes_of(size);
            unsigned refusals = 0;
            for (unsigned time = 0; time < 2; time++) {
                REQUIRE_EQUAL(hak_heap_set_limit(heap, 0, bytes - 1), 0);
                REQUIRE(hak_heap_malloc_or(heap, size, count_refusal, &refusals, size + 1) == NULL);
                REQUIRE_EQUAL(refusals, time + 1);
                REQUIRE_EQUAL(hak_heap_set_limit(heap, 0, bytes), 0);
                void *block = hak_heap_malloc_or(heap, size, count_refusal, &refusals, size + 1);
                REQUIRE(block != NULL);
                REQUIRE_EQUAL(refusals, time + 1);
                REQUIRE_EQUAL(stats_of_heap(heap).used_bytes, bytes);
                hak_heap_free(heap, block);
            }
        }
        hak_heap_destroy(heap);
    }
}

/* ---- What the OS refuses ---- */

static void require_no_trace_of_refused(hak_heap_t *heap, void *block) {
    static const size_t sizes_refused[] = {PTRDIFF_MAX, PTRDIFF_MAX - 100000, (size_t)1 << 50};
    hak_heap_stats_t before = stats_of_heap(heap);
    for (size_t number = 0; number < sizeof sizes_refused / sizeof *sizes_refused; number++) {
        require_refused(heap, hak_heap_malloc(heap, sizes_refused[number]), before.used_bytes);
        require_refused(heap, hak_heap_realloc(heap, block, sizes_refused[number]), before.used_bytes);
        REQUIRE_EQUAL(stats_of_heap(heap).peak_bytes, before.peak_bytes);
    }
}

static void *use_once(void *heap) {
    hak_heap_free(heap, hak_heap_malloc(heap, 100));
    return NULL;
}

static void test_what_the_os_refuses_leaves_no_trace(void **state) {
    (void)state;
    for (uint32_t is_private = 0; is_private < 2; is_private++) {
        hak_heap_t *heap = heap_with(is_private, 0, 0);
        void *block = hak_heap_malloc(heap, 1000);
        require_no_trace_of_refused(heap, block);
        threads_join(threads_start(use_once, heap)); /* from now on two threads count */
        require_no_trace_of_refused(heap, block);
        hak_heap_free(heap, block);
        require_no_trace_of_refused(heap, NULL);
        hak_heap_destroy(heap);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_limits_are_exact),
        cmocka_unit_test(test_heap_that_falls_to_its_soft_limit),
        cmocka_unit_test(test_request_that_comes_again_is_served),
        cmocka_unit_test(test_refusals_are_told_and_nothing_else),
        cmocka_unit_test(test_what_the_os_refuses_leaves_no_trace),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
