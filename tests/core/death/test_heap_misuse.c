/*
 * death/test_heap_misuse.c - misuse of a host's heaps: blocks of a private heap that hak_free or another heap gets,
 * blocks that an account does not hold, heaps that are used after their end. One line and SIGABRT; with on_error=report
 * the line, and the process goes on, with figures that are right. At each debug level.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "support/child.h"
#include "support/misuse.h"
#include "support/stats.h"
#include "support/suite.h"

static hak_heap_t *private_heap(void) {
    hak_heap_options_t options = HAK_HEAP_OPTIONS_INIT;
    options.is_private = 1;
    return hak_heap_new(&options);
}

static unsigned char *filled_block(hak_heap_t *heap, size_t bytes) {
    unsigned char *block = hak_heap_malloc(heap, bytes);
    memset(block, 7, bytes);
    return block;
}

static void require_filled(const unsigned char *block, size_t bytes) {
    for (size_t offset = 0; offset < bytes; offset++) REQUIRE_EQUAL(block[offset], 7);
}

static void require_left_alone(hak_heap_t *heap, unsigned char *block, size_t bytes) {
    hak_thread_flush();
    require_filled(block, bytes);
    hak_heap_free(heap, block);
    hak_heap_destroy(heap);
}

static void require_held(const hak_heap_t *heap, uint64_t bytes, uint64_t blocks) {
    hak_heap_stats_t stats = stats_of_heap(heap);
    REQUIRE_EQUAL(stats.used_bytes, bytes);
    REQUIRE_EQUAL(stats.used_blocks, blocks);
}

static void free_of_a_private_block(size_t bytes) {
    hak_heap_t *heap = private_heap();
    unsigned char *block = filled_block(heap, bytes);
    hak_free(misuse_laundered(block));
    require_left_alone(heap, block, bytes);
}

static void free_of_a_small_private_block(void) { free_of_a_private_block(48); }
static void free_of_a_large_private_block(void) { free_of_a_private_block(100000); }
static void free_of_a_huge_private_block(void) { free_of_a_private_block(5 << 20); }

/* Of a flush whose blocks go back one by one, because each lies in another slab. */
static void free_of_a_private_block_among_scattered_ones(void) {
    enum { SLABS = 24, BLOCKS_EACH = 1400 };
    static void *blocks[SLABS * BLOCKS_EACH];
    hak_heap_t *heap = private_heap();
    unsigned char *block = filled_block(heap, 48);
    for (size_t number = 0; number < SLABS * BLOCKS_EACH; number++) blocks[number] = hak_malloc(48);
    hak_thread_flush();
    for (size_t slab = 0; slab < SLABS; slab++) {
        if (slab == SLABS / 2) hak_free(misuse_laundered(block));
        hak_free(blocks[slab * BLOCKS_EACH]);
    }
    require_left_alone(heap, block, 48);
}

/* The caller gets a copy, and keeps it when the private heap goes. `other` is NULL for hak_realloc. */
static void realloc_of_a_private_block(hak_heap_t *other, size_t bytes, size_t new_bytes) {
    hak_heap_t *heap = private_heap();
    unsigned char *block = filled_block(heap, bytes);
    unsigned char *copy = other != NULL ? hak_heap_realloc(other, misuse_laundered(block), new_bytes)
                                        : hak_realloc(misuse_laundered(block), new_bytes);
    require_left_alone(heap, block, bytes);
    require_filled(copy, bytes < new_bytes ? bytes : new_bytes);
    hak_free(copy);
}

static void realloc_of_a_small_private_block(void) { realloc_of_a_private_block(NULL, 48, 4800); }
static void realloc_of_a_large_private_block(void) { realloc_of_a_private_block(NULL, 100000, 900000); }
static void realloc_of_a_huge_private_block(void) { realloc_of_a_private_block(NULL, 5 << 20, 40 << 20); }
static void shrink_of_a_large_private_block(void) { realloc_of_a_private_block(NULL, 900000, 100000); }

static void outgrown_private_block_over_the_bound(void) {
    stats_option_set("retain_bytes", "0");
    stats_option_set("retain_percent", "0");
    enum { COUNT = 4000, KEPT_EACH = 64 };
    static void *blocks[COUNT];
    for (size_t number = 0; number < COUNT; number++) blocks[number] = hak_malloc(1000);
    for (size_t number = 0; number < COUNT; number++)
        if (number % KEPT_EACH != 0) hak_free(blocks[number]);
    realloc_of_a_private_block(NULL, 100000, 2 << 20);
}

static void realloc_of_another_heap(void) { realloc_of_a_private_block(hak_heap_new(NULL), 100000, 900000); }

static void realloc_of_another_private_heap(void) {
    hak_heap_t *heap = private_heap(), *other = private_heap();
    unsigned char *block = filled_block(heap, 100000);
    REQUIRE(hak_heap_realloc(other, misuse_laundered(block), 900000) == NULL);
    require_left_alone(heap, block, 100000);
}

/* Found at once: the private heap may be gone before the magazine is looked through. */
static void move_by_an_account(size_t bytes, size_t new_bytes) {
    hak_heap_t *account = hak_heap_new(NULL), *heap = private_heap();
    unsigned char *block = filled_block(heap, bytes);
    unsigned char *copy = hak_heap_realloc(account, misuse_laundered(block), new_bytes);
    require_filled(block, bytes);
    hak_heap_destroy(heap);
    hak_thread_flush();
    require_filled(copy, bytes < new_bytes ? bytes : new_bytes);
    require_held(account, hak_usable_size(copy), 1);
    hak_heap_free(account, copy);
    require_held(account, 0, 0);
    hak_heap_destroy(account);
}

static void growth_of_a_small_private_block_by_an_account(void) { move_by_an_account(48, 480); }
static void shrink_of_a_small_private_block_by_an_account(void) { move_by_an_account(480, 48); }
static void growth_of_a_large_private_block_by_an_account(void) { move_by_an_account(100000, 900000); }

static void large_private_block_freed_by_an_account(void) {
    hak_heap_t *account = hak_heap_new(NULL), *heap = private_heap();
    unsigned char *block = filled_block(heap, 100000);
    hak_heap_free(account, misuse_laundered(block));
    require_held(account, 0, 0);
    require_left_alone(heap, block, 100000);
    hak_heap_destroy(account);
}

/* The account holds `held`, or nothing, and `block` of hak_malloc, which the account refused, is as it was. */
static void end_unharmed(hak_heap_t *account, void *held, unsigned char *block, size_t bytes) {
    require_held(account, hak_usable_size(held), held != NULL);
    require_filled(block, bytes);
    hak_free(block);
    hak_heap_free(account, held);
    require_held(account, 0, 0);
    hak_heap_destroy(account);
}

/* The account holds a block of `held_bytes`. */
static void free_of_what_is_not_held(size_t held_bytes, size_t bytes) {
    hak_heap_t *account = hak_heap_new(NULL);
    void *held = held_bytes == 0 ? NULL : hak_heap_malloc(account, held_bytes);
    unsigned char *block = hak_malloc(bytes);
    memset(block, 7, bytes);
    hak_heap_free(account, block);
    end_unharmed(account, held, block, bytes);
}

static void free_in_an_empty_account(void) { free_of_what_is_not_held(0, 48); }
static void free_of_more_than_is_held(void) { free_of_what_is_not_held(48, 5000); }
static void free_of_a_large_block_that_is_not_held(void) { free_of_what_is_not_held(48, 100000); }

static void free_of_more_blocks_than_are_held(void) {
    hak_heap_t *account = hak_heap_new(NULL);
    void *held = hak_heap_malloc(account, 5000), *one = hak_malloc(48), *other = hak_malloc(48);
    hak_heap_free(account, one); /* cannot be told from the account's own */
    uint64_t held_bytes = hak_usable_size(held) - hak_usable_size(other);
    hak_heap_free(account, other);
    require_held(account, held_bytes, 0);
    hak_free(other);
    hak_free(held);
    hak_heap_destroy(account);
}

/* The block is in the heap's cache, so that the account alone can tell. With debug 2 it went to its slab. */
static void private_block_freed_twice(void) {
    hak_heap_t *heap = private_heap();
    void *held = hak_heap_malloc(heap, 8), *block = hak_heap_malloc(heap, 48);
    hak_heap_free(heap, block);
    hak_heap_free(heap, misuse_laundered(block));
    require_held(heap, hak_usable_size(held), 1);
    hak_heap_destroy(heap);
}

/* The block is left alone, as where no memory is left. */
static void realloc_of_what_is_not_held(size_t bytes, size_t new_bytes) {
    hak_heap_t *account = hak_heap_new(NULL);
    void *held = hak_heap_malloc(account, 24);
    unsigned char *block = hak_malloc(bytes);
    memset(block, 7, bytes);
    REQUIRE(hak_heap_realloc(account, misuse_laundered(block), new_bytes) == NULL);
    end_unharmed(account, held, block, bytes);
}

static void growth_of_a_small_block_that_is_not_held(void) { realloc_of_what_is_not_held(48, 4800); }
static void shrink_of_a_small_block_that_is_not_held(void) { realloc_of_what_is_not_held(4800, 48); }
static void growth_of_a_large_block_that_is_not_held(void) { realloc_of_what_is_not_held(100000, 900000); }
static void shrink_of_a_large_block_that_is_not_held(void) { realloc_of_what_is_not_held(900000, 100000); }

/* It was small, and its copy is large, or the other way. */
static void growth_to_a_large_block_that_is_not_held(void) { realloc_of_what_is_not_held(4800, 900000); }
static void shrink_to_a_small_block_that_is_not_held(void) { realloc_of_what_is_not_held(900000, 4800); }

static void free_in_a_destroyed_heap(void) {
    hak_heap_t *heap = hak_heap_new(NULL);
    unsigned char *block = filled_block(heap, 48);
    hak_heap_destroy(heap);
    hak_heap_free(misuse_laundered(heap), block);
    require_filled(block, 48);
    hak_free(block);
}

static int local[64];

static void free_of_a_foreign_block(void) {
    hak_heap_t *heap = private_heap();
    hak_heap_free(heap, misuse_laundered(local));
    hak_heap_destroy(heap);
}

static void realloc_of_a_foreign_block(void) {
    hak_heap_t *heap = private_heap();
    REQUIRE(hak_heap_realloc(heap, misuse_laundered(local), 100) == NULL);
    hak_heap_destroy(heap);
}

static void heap_destroyed_twice(void) {
    hak_heap_t *heap = hak_heap_new(NULL);
    hak_heap_destroy(heap);
    hak_heap_destroy(misuse_laundered(heap));
}

static void request_on_a_destroyed_heap(void) {
    hak_heap_t *heap = hak_heap_new(NULL);
    hak_heap_destroy(heap);
    REQUIRE(hak_heap_malloc(misuse_laundered(heap), 48) == NULL);
}

static void realloc_in_a_destroyed_heap(size_t bytes, size_t new_bytes) {
    hak_heap_t *heap = hak_heap_new(NULL);
    unsigned char *block = filled_block(heap, bytes);
    hak_heap_destroy(heap);
    REQUIRE(hak_heap_realloc(misuse_laundered(heap), block, new_bytes) == NULL);
    require_filled(block, bytes);
    hak_free(block);
}

static void growth_in_a_destroyed_heap(void) { realloc_in_a_destroyed_heap(48, 4800); }
static void shrink_in_a_destroyed_heap(void) { realloc_in_a_destroyed_heap(4800, 48); }
static void shrink_of_a_large_block_in_a_destroyed_heap(void) { realloc_in_a_destroyed_heap(900000, 100000); }

static void limit_of_a_destroyed_heap(void) {
    hak_heap_t *heap = hak_heap_new(NULL);
    hak_heap_destroy(heap);
    REQUIRE_EQUAL(hak_heap_set_limit(misuse_laundered(heap), 0, 100), EINVAL);
}

static void stats_of_a_destroyed_heap(void) {
    hak_heap_t *heap = hak_heap_new(NULL);
    hak_heap_destroy(heap);
    hak_heap_stats_t stats = HAK_HEAP_STATS_INIT;
    REQUIRE_EQUAL(hak_heap_stats_get(misuse_laundered(heap), &stats), EINVAL);
}

static const MisuseCase cases[] = {
    MISUSE_CASE("invalid free of 0x", free_of_a_small_private_block),
    MISUSE_CASE("invalid free of 0x", free_of_a_large_private_block),
    MISUSE_CASE("invalid free of 0x", free_of_a_huge_private_block),
    MISUSE_CASE("invalid free of 0x", free_of_a_private_block_among_scattered_ones),
    MISUSE_CASE("invalid free of 0x", realloc_of_a_small_private_block),
    MISUSE_CASE("invalid free of 0x", realloc_of_a_large_private_block),
    MISUSE_CASE("invalid free of 0x", realloc_of_a_huge_private_block),
    MISUSE_CASE("invalid free of 0x", shrink_of_a_large_private_block),
    MISUSE_CASE("invalid free of 0x", outgrown_private_block_over_the_bound),
    MISUSE_CASE("invalid free of 0x", realloc_of_another_heap),
    MISUSE_CASE("invalid free of 0x", realloc_of_another_private_heap),
    MISUSE_CASE("invalid free of 0x", growth_of_a_small_private_block_by_an_account),
    MISUSE_CASE("invalid free of 0x", shrink_of_a_small_private_block_by_an_account),
    MISUSE_CASE("invalid free of 0x", growth_of_a_large_private_block_by_an_account),
    MISUSE_CASE("invalid free of 0x", large_private_block_freed_by_an_account),
    MISUSE_CASE("invalid free of 0x", free_in_an_empty_account),
    MISUSE_CASE("invalid free of 0x", free_of_more_than_is_held),
    MISUSE_CASE("invalid free of 0x", free_of_a_large_block_that_is_not_held),
    MISUSE_CASE("invalid free of 0x", free_of_more_blocks_than_are_held),
    MISUSE_CASE(" free of 0x", private_block_freed_twice),
    MISUSE_CASE("invalid free of 0x", free_of_a_foreign_block),
    MISUSE_CASE("invalid free of 0x", realloc_of_a_foreign_block),
    MISUSE_CASE("invalid free of 0x", growth_of_a_small_block_that_is_not_held),
    MISUSE_CASE("invalid free of 0x", shrink_of_a_small_block_that_is_not_held),
    MISUSE_CASE("invalid free of 0x", growth_of_a_large_block_that_is_not_held),
    MISUSE_CASE("invalid free of 0x", shrink_of_a_large_block_that_is_not_held),
    MISUSE_CASE("invalid free of 0x", growth_to_a_large_block_that_is_not_held),
    MISUSE_CASE("invalid free of 0x", shrink_to_a_small_block_that_is_not_held),
    MISUSE_CASE("invalid use of 0x", heap_destroyed_twice),
    MISUSE_CASE("invalid use of 0x", limit_of_a_destroyed_heap),
    MISUSE_CASE("invalid use of 0x", stats_of_a_destroyed_heap),
    /* The last ones: with debug 2 the account is overwritten. */
    MISUSE_CASE("invalid use of 0x", request_on_a_destroyed_heap),
    MISUSE_CASE("invalid use of 0x", free_in_a_destroyed_heap),
    MISUSE_CASE("invalid use of 0x", growth_in_a_destroyed_heap),
    MISUSE_CASE("invalid use of 0x", shrink_in_a_destroyed_heap),
    MISUSE_CASE("invalid use of 0x", shrink_of_a_large_block_in_a_destroyed_heap),
};
enum { CASES = sizeof cases / sizeof *cases, OVERWRITTEN_CASES = 5 };

static int scenario(const char *name) {
    for (size_t index = 0; index < CASES; index++) {
        if (strcmp(cases[index].name, name) != 0) continue;
        cases[index].run();
        return hak_check() == 0 ? 0 : 1;
    }
    return 2;
}

static void test_misuse_of_heaps(void **state) {
    (void)state;
    static const char *const levels[] = {"HAKMEM_DEBUG=0", "HAKMEM_DEBUG=1", "HAKMEM_DEBUG=2"};
    for (size_t index = 0; index < CASES; index++)
        for (size_t level = 0; level < (index + OVERWRITTEN_CASES < CASES ? 3 : 2); level++) {
            const char *words[] = {cases[index].words, "size class ", "thread ", NULL};
            const char *aborting[] = {levels[level], NULL},
                       *reporting[] = {levels[level], "HAKMEM_ON_ERROR=report", NULL};
            ChildResult result = child_run_self(cases[index].name, aborting);
            child_require_abort(&result, words);
            result = child_run_self(cases[index].name, reporting);
            if (result.exit_code != 0) fprintf(stderr, "%s, %s:\n", cases[index].name, levels[level]);
            child_require_success(&result);
            const char *line = strstr(result.errors, "hakmem: error:");
            REQUIRE(line != NULL && strstr(line, cases[index].words) != NULL);
            REQUIRE(strstr(line + 1, "hakmem: error:") == NULL);
        }
}

int main(int count, char **arguments) {
    if (count > 1) return scenario(arguments[1]);
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_misuse_of_heaps)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
