/*
 * death/test_guard.c - debug level 2: writing beyond the end of a block is found when it is freed, writing to a free
 * block when it is used again; in one line with what, address, place, size class and thread. The level is read at the
 * start, so each case is this program started anew. Correct programs, also those that give memory back in between,
 * pass unseen.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "support/child.h"
#include "support/misuse.h"
#include "support/pattern.h"
#include "support/stats.h"
#include "support/suite.h"

static const size_t sizes[] = {1, 8, 16, 24, 40, 100, 1000, 1024, 5000, 20000, 32000};
enum { SIZES = sizeof sizes / sizeof *sizes };

static char *laundered(void *address) { return misuse_laundered(address); }

/* ---- Beyond the end ---- */

static void overflow_by_one(size_t bytes) {
    char *block = hak_malloc(bytes);
    misuse_announce(block);
    laundered(block)[hak_usable_size(block)] ^= 1;
    hak_free(block);
}

static void overflow_with_zeros(size_t bytes) {
    char *block = hak_calloc(1, bytes);
    misuse_announce(block);
    laundered(block)[hak_usable_size(block) + 7] = 0;
    hak_free(block);
}

static void overflow_into_the_neighbour(size_t bytes) {
    char *block = hak_malloc(bytes);
    misuse_announce(block);
    memset(laundered(block), 'x', hak_usable_size(block) + 32);
    hak_free(block);
}

static void overflow_found_by_realloc(size_t bytes) {
    char *block = hak_malloc(bytes);
    misuse_announce(block);
    laundered(block)[hak_usable_size(block)] ^= 1;
    hak_free(hak_realloc(block, bytes * 3 + 100));
}

static void overflow_found_by_sized_free(size_t bytes) {
    char *block = hak_malloc(bytes);
    misuse_announce(block);
    laundered(block)[hak_usable_size(block) + 31] ^= 1;
    hak_free_sized(block, bytes);
}

static void overflow_of_an_aligned_block(size_t bytes) {
    char *block = hak_aligned_alloc(64, bytes);
    misuse_announce(block);
    laundered(block)[hak_usable_size(block)] ^= 1;
    hak_free(block);
}

static void overflow_in_a_private_heap(size_t bytes) {
    hak_heap_options_t options = HAK_HEAP_OPTIONS_INIT;
    options.is_private = 1;
    hak_heap_t *heap = hak_heap_new(&options);
    char *block = hak_heap_malloc(heap, bytes);
    misuse_announce(block);
    laundered(block)[hak_usable_size(block)] ^= 1;
    hak_heap_free(heap, block);
    hak_heap_destroy(heap);
}

/* What lies before a block is the canary of its neighbour. */
static void write_before_the_start(size_t bytes) {
    char *blocks[100];
    for (size_t number = 0; number < 100; number++) blocks[number] = hak_malloc(bytes);
    size_t step = hak_usable_size(blocks[0]) + 32;
    for (size_t number = 1; number < 100; number++) {
        if (blocks[number] != blocks[number - 1] + step) continue;
        misuse_announce(blocks[number - 1]);
        laundered(blocks[number])[-1] ^= 1;
        break;
    }
    for (size_t number = 0; number < 100; number++) hak_free(blocks[number]);
}

static void *free_it(void *block) {
    misuse_announce(block);
    hak_free(block);
    return NULL;
}

static void overflow_found_by_another_thread(size_t bytes) {
    char *block = hak_malloc(bytes);
    pthread_t thread;
    laundered(block)[hak_usable_size(block)] ^= 1;
    REQUIRE_EQUAL(pthread_create(&thread, NULL, free_it, block), 0);
    REQUIRE_EQUAL(pthread_join(thread, NULL), 0);
}

/* ---- After it was freed ---- */

/* Allocates until the block is handed out again; a keeper in its slab has kept its OS page. */
static void use_again(const void *block, size_t bytes) {
    enum { TRIES_MAX = 10000 };
    unsigned tries = 0;
    while (hak_malloc(bytes) != block) REQUIRE_AT_MOST(++tries, TRIES_MAX);
}

static void write_after_free_at(size_t bytes, size_t offset, char value) {
    char *keeper = hak_malloc(bytes), *block = hak_malloc(bytes), *other_keeper = hak_malloc(bytes);
    misuse_announce(block);
    hak_free(block);
    laundered(block)[offset] = value;
    use_again(block, bytes);
    hak_free(keeper);
    hak_free(other_keeper);
}

static void write_after_free_at_the_start(size_t bytes) { write_after_free_at(bytes, 0, 'x'); }
static void write_after_free_at_the_end(size_t bytes) { write_after_free_at(bytes, bytes - 1, 0); }
static void write_after_free_in_the_middle(size_t bytes) { write_after_free_at(bytes, bytes / 2, 'y'); }

static void write_after_realloc_moved_it(size_t bytes) {
    char *keeper = hak_malloc(bytes), *block = hak_malloc(bytes), *other_keeper = hak_malloc(bytes);
    misuse_announce(block);
    char *moved = hak_realloc(block, bytes * 4 + 100);
    REQUIRE(moved != block);
    laundered(block)[0] = 'x';
    use_again(block, bytes);
    hak_free(keeper);
    hak_free(other_keeper);
}

/* ---- The cases ---- */

typedef struct Case {
    const char *name, *words;
    void (*run)(size_t bytes);
} Case;

#define CASE(words, name) {#name, words, name}
static const Case cases[] = {
    CASE("beyond its end", overflow_by_one),
    CASE("beyond its end", overflow_with_zeros),
    CASE("beyond its end", overflow_into_the_neighbour),
    CASE("beyond its end", overflow_found_by_realloc),
    CASE("beyond its end", overflow_found_by_sized_free),
    CASE("beyond its end", overflow_of_an_aligned_block),
    CASE("beyond its end", overflow_in_a_private_heap),
    CASE("beyond its end", overflow_found_by_another_thread),
    CASE("after it was freed", write_after_free_at_the_start),
    CASE("after it was freed", write_after_free_at_the_end),
    CASE("after it was freed", write_after_free_in_the_middle),
    CASE("after it was freed", write_after_realloc_moved_it),
};
static const Case before_the_start = CASE("beyond its end", write_before_the_start);

/* Of 100 blocks two lie side by side only where a slab holds more than a few. */
enum { NEIGHBOUR_BYTES_MAX = 5000 };

static ChildResult start(const char *name, size_t bytes, const char *level, const char *on_error) {
    char argument[128];
    const char *environment[] = {level, on_error, NULL};
    snprintf(argument, sizeof argument, "%s %zu", name, bytes);
    return child_run_self(argument, environment);
}

static void require_line(const Case *one, const ChildResult *result) {
    const char *const words[] = {one->words, " at byte "};
    misuse_require_report(one->name, words, "corruption: ", " was written to ", result);
}

static void require_found(const Case *one, size_t bytes) {
    ChildResult result = start(one->name, bytes, "HAKMEM_DEBUG=2", NULL);
    require_line(one, &result);
    REQUIRE_EQUAL(result.signal, SIGABRT);
    result = start(one->name, bytes, "HAKMEM_DEBUG=2", "HAKMEM_ON_ERROR=report");
    require_line(one, &result);
    child_require_success(&result);
}

static void test_writes_to_the_wrong_place_are_found(void **state) {
    (void)state;
    for (size_t index = 0; index < sizeof cases / sizeof *cases; index++)
        for (size_t size = 0; size < SIZES; size++) require_found(&cases[index], sizes[size]);
    for (size_t size = 0; size < SIZES && sizes[size] <= NEIGHBOUR_BYTES_MAX; size++)
        require_found(&before_the_start, sizes[size]);
}

/* ---- No false alarm ---- */

/* Every byte that a caller may use is used; blocks change class, become large, go to the OS and come back. */
static void use_everything(size_t rounds) {
    enum { BLOCKS = 3000 };
    static char *blocks[BLOCKS];
    for (size_t round = 0; round < rounds; round++) {
        for (size_t number = 0; number < BLOCKS; number++) {
            size_t bytes = (number * 7919 + round * 104729) % (number % 50 == 0 ? 100000 : 2000);
            blocks[number] = number % 3 == 0 ? hak_calloc(1, bytes) : hak_malloc(bytes);
            if (number % 3 == 0) REQUIRE(pattern_is_zero(blocks[number], bytes));
            pattern_fill(blocks[number], hak_usable_size(blocks[number]), number);
        }
        if (round % 3 == 1) hak_thread_flush();
        for (size_t number = 0; number < BLOCKS; number++) {
            REQUIRE(pattern_holds(blocks[number], hak_usable_size(blocks[number]), number));
            hak_free(blocks[number]);
            if (round % 3 == 2 && number % 1000 == 0) (void)hak_trim();
        }
    }
    stats_require_all_returned();
}

static void test_correct_programs_pass(void **state) {
    (void)state;
    static const char *const levels[] = {"HAKMEM_DEBUG=0", "HAKMEM_DEBUG=1", "HAKMEM_DEBUG=2"};
    for (size_t level = 0; level < 3; level++) {
        ChildResult result = start("use_everything", 9, levels[level], NULL);
        child_require_success(&result);
        assert_string_equal(result.errors, "");
    }
}

/* ---- A damaged block is live, and is freed ---- */

static void damaged_block_is_freed(size_t bytes) {
    char *block = hak_malloc(bytes);
    laundered(block)[hak_usable_size(block)] ^= 1;
    hak_free(block);
    REQUIRE_EQUAL(stats_now().live_blocks, 0);
}

static void test_damaged_blocks_are_freed(void **state) {
    (void)state;
    for (size_t size = 0; size < SIZES; size++) {
        ChildResult result = start("damaged_block_is_freed", sizes[size], "HAKMEM_DEBUG=2", "HAKMEM_ON_ERROR=report");
        child_require_success(&result);
        REQUIRE(strstr(result.errors, " was written to beyond its end") != NULL);
    }
}

/* ---- Realloc of a freed block ---- */

static void realloc_of_a_freed_block(size_t bytes) {
    char *block = hak_malloc(bytes), *keeper = hak_malloc(bytes);
    hak_heap_t *heap = hak_heap_new(NULL);
    hak_free(block);
    REQUIRE(hak_realloc(laundered(block), bytes) == NULL);
    REQUIRE(hak_heap_realloc(heap, laundered(block), bytes) == NULL);
    hak_heap_destroy(heap);
    hak_free(keeper);
}

static void test_realloc_of_a_freed_block_is_found(void **state) {
    (void)state;
    for (size_t size = 0; size < SIZES; size++) {
        ChildResult result = start("realloc_of_a_freed_block", sizes[size], "HAKMEM_DEBUG=2", "HAKMEM_ON_ERROR=report");
        child_require_success(&result);
        const char *first = strstr(result.errors, ": realloc of a freed block (size class ");
        REQUIRE(first != NULL && strstr(first + 1, ": realloc of a freed block (size class ") != NULL);
    }
}

static int scenario(const char *argument) {
    char name[64];
    size_t bytes;
    REQUIRE_EQUAL(sscanf(argument, "%63s %zu", name, &bytes), 2);
    if (strcmp(name, "use_everything") == 0) {
        use_everything(bytes);
        return 0;
    }
    if (strcmp(name, "damaged_block_is_freed") == 0) {
        damaged_block_is_freed(bytes);
        return 0;
    }
    if (strcmp(name, "realloc_of_a_freed_block") == 0) {
        realloc_of_a_freed_block(bytes);
        return 0;
    }
    const Case *chosen = &before_the_start;
    for (size_t index = 0; index < sizeof cases / sizeof *cases; index++)
        if (strcmp(cases[index].name, name) == 0) chosen = &cases[index];
    chosen->run(bytes);
    return hak_check() == 0 ? 0 : 1;
}

int main(int count, char **arguments) {
    if (count > 1) return scenario(arguments[1]);
#if defined(HAK_TEST_MEMORY_TOOL)
    return 0; /* which sees these writes when they happen: test_memory_tool */
#endif
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_writes_to_the_wrong_place_are_found),
        cmocka_unit_test(test_damaged_blocks_are_freed),
        cmocka_unit_test(test_realloc_of_a_freed_block_is_found),
        cmocka_unit_test(test_correct_programs_pass),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
