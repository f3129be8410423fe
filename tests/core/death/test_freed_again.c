/*
 * death/test_freed_again.c - realloc of a block that was freed before, and requests to a host's heap for one: called a
 * double free, or named by its place in a large block, where the core knows it. Each in a child (support/misuse.h).
 */
#include <stdint.h>

#include "support/misuse.h"
#include "support/suite.h"

static void realloc_of_block_in_empty_slab(void) {
    void *survivor = hak_malloc(4096), *block = hak_malloc(640);
    misuse_announce(block);
    hak_free(block);
    hak_thread_flush();
    REQUIRE(hak_realloc(misuse_laundered(block), 100) == NULL);
    hak_free(survivor);
}

static void realloc_of_freed_large_block(void) {
    void *block = hak_malloc(200000), *other = hak_malloc(200000);
    misuse_announce(block);
    hak_free(block);
    REQUIRE(hak_realloc(misuse_laundered(block), 300000) == NULL);
    hak_free(other);
}

static void realloc_of_freed_huge_block(void) {
    void *block = hak_malloc(3000000), *other = hak_malloc(3000000);
    misuse_announce(block);
    hak_free(block);
    REQUIRE(hak_realloc(misuse_laundered(block), 100) == NULL);
    hak_free(other);
}

static void realloc_inside_large_block(void) {
    char *block = hak_malloc(200000);
    misuse_announce(block + 65536);
    REQUIRE(hak_realloc(misuse_laundered(block + 65536), 100) == NULL);
    hak_free(block);
}

/* In a heap of a host, by turns an account and a private one. */
static void heap_requests_for_freed_blocks(uint32_t is_private, size_t bytes, bool is_realloc) {
    hak_heap_options_t options = HAK_HEAP_OPTIONS_INIT;
    options.is_private = is_private;
    hak_heap_t *heap = hak_heap_new(&options);
    void *survivor = hak_malloc(4096), *block = hak_heap_malloc(heap, bytes), *other = hak_heap_malloc(heap, 200000);
    misuse_announce(block);
    hak_heap_free(heap, block);
    hak_thread_flush();
    if (is_realloc)
        REQUIRE(hak_heap_realloc(heap, misuse_laundered(block), 100) == NULL);
    else
        hak_heap_free(heap, misuse_laundered(block));
    hak_heap_free(heap, other);
    hak_heap_destroy(heap);
    hak_free(survivor);
}

static void account_realloc_in_empty_slab(void) { heap_requests_for_freed_blocks(0, 640, true); }
static void account_realloc_of_freed_large_block(void) { heap_requests_for_freed_blocks(0, 200000, true); }
static void account_free_of_freed_large_block(void) { heap_requests_for_freed_blocks(0, 200000, false); }
static void private_realloc_of_freed_large_block(void) { heap_requests_for_freed_blocks(1, 200000, true); }
static void private_free_of_freed_large_block(void) { heap_requests_for_freed_blocks(1, 200000, false); }

static const MisuseCase cases[] = {
    MISUSE_CASE("double free", realloc_of_block_in_empty_slab),
    MISUSE_CASE("double free", realloc_of_freed_large_block),
    MISUSE_CASE("double free", realloc_of_freed_huge_block),
    MISUSE_CASE("inside a large block", realloc_inside_large_block),
    MISUSE_CASE("double free", account_realloc_in_empty_slab),
    MISUSE_CASE("double free", account_realloc_of_freed_large_block),
    MISUSE_CASE("double free", account_free_of_freed_large_block),
    MISUSE_CASE("double free", private_realloc_of_freed_large_block),
    MISUSE_CASE("double free", private_free_of_freed_large_block),
};

static void test_each_aborts(void **state) {
    (void)state;
    misuse_cases_abort(cases, sizeof cases / sizeof *cases);
}

static void test_each_can_be_reported_only(void **state) {
    (void)state;
    misuse_cases_are_reported(cases, sizeof cases / sizeof *cases);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_aborts),
        cmocka_unit_test(test_each_can_be_reported_only),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
