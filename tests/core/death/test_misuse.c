/*
 * death/test_misuse.c - misuse in child processes: one line on stderr with what, address, size class and thread, then
 * SIGABRT. Each case is also run with on_error=report: the line is printed, the process goes on, hak_check finds
 * nothing.
 */
#define _GNU_SOURCE
#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "support/child.h"
#include "support/stats.h"
#include "support/suite.h"

enum { BLOCKS = 2000 };

static void *blocks[BLOCKS];
static void *offender; /* chosen by each case; told to the parent through the first line of stderr */

static void announce(void *address) {
    offender = address;
    char line[64];
    int length = snprintf(line, sizeof line, "%p %ld\n", address, (long)syscall(SYS_gettid));
    REQUIRE_EQUAL(write(STDERR_FILENO, line, (size_t)length), length);
}

/* Hides an address from the compiler, which would warn of what these cases do. */
static void *laundered(const void *address) {
    void *volatile copy = (void *)(uintptr_t)address;
    return copy;
}

/* ---- The cases ---- */

static void double_free_in_magazine(void) {
    void *block = hak_malloc(48), *keeper = hak_malloc(48);
    announce(block);
    hak_free(block);
    hak_free(laundered(block));
    hak_thread_flush();
    hak_free(keeper);
}

static void double_free_after_flush(void) {
    void *keeper = hak_malloc(48), *block = hak_malloc(48);
    announce(block);
    hak_free(block);
    hak_thread_flush();
    hak_free(laundered(block));
    hak_thread_flush();
    hak_free(keeper);
}

/* The magazine overflows between the two, so the first one is in its slab already; no flush is asked for. */
static void double_free_found_by_overflow(void) {
    for (size_t number = 0; number < BLOCKS; number++) blocks[number] = hak_malloc(32);
    announce(blocks[100]);
    for (size_t number = 0; number < BLOCKS - 1; number++) hak_free(blocks[number]);
    hak_free(laundered(blocks[100]));
    hak_thread_flush();
    hak_free(blocks[BLOCKS - 1]);
}

static void double_free_in_empty_slab(void) {
    void *survivor = hak_malloc(4096), *block = hak_malloc(640);
    announce(block);
    hak_free(block);
    hak_thread_flush();
    hak_free(laundered(block)); /* its slab belongs to no class any more */
    hak_free(survivor);
}

/* Both copies wait in the magazine, and the slab is emptied by the first. */
static void double_free_empties_slab(void) {
    void *survivor = hak_malloc(4096), *block = hak_malloc(704), *other = hak_malloc(704);
    announce(block);
    hak_free(block);
    hak_free(other);
    hak_free(laundered(block));
    hak_thread_flush();
    hak_free(survivor);
}

static void *free_offender(void *unused) {
    (void)unused;
    hak_free(offender);
    hak_thread_flush();
    return NULL;
}

static void double_free_by_two_threads(void) {
    void *keeper = hak_malloc(80), *block = hak_malloc(80);
    pthread_t thread;
    offender = block;
    REQUIRE_EQUAL(pthread_create(&thread, NULL, free_offender, NULL), 0);
    REQUIRE_EQUAL(pthread_join(thread, NULL), 0);
    announce(block);
    hak_free(laundered(block));
    hak_thread_flush();
    hak_free(keeper);
}

/* Frees `twice` twice, `others` in between and afterwards, until the first copy has left the magazine. */
static void free_twice_with_others(void *twice, void **others, size_t other_count) {
    announce(twice);
    hak_free(twice);
    for (size_t number = 0; number < 200; number++) hak_free(others[number]);
    hak_free(laundered(twice));
    for (size_t number = 200; number < other_count; number++) hak_free(others[number]);
}

/* The slab of a block that lies twice in the magazine becomes a large block before the second copy leaves. */
static void double_free_into_large_block(void) {
    void *survivor = hak_malloc(4096);
    for (size_t number = 0; number < BLOCKS; number++) blocks[number] = hak_malloc(40);
    for (size_t number = 1; number < BLOCKS - 300; number++) hak_free(blocks[number]);
    hak_thread_flush();
    free_twice_with_others(blocks[0], blocks + BLOCKS - 300, 300);
    void *large = hak_malloc(60000);
    hak_thread_flush();
    hak_free(large);
    hak_free(survivor);
}

/* The same, and the whole SuperSlab has gone to the OS. */
static void double_free_into_released_superslab(void) {
    enum { MANY = 120000 };
    static void *many[MANY];
    stats_option_set("purge_delay_ms", "0");
    stats_option_set("retain_bytes", "0");
    stats_option_set("retain_percent", "0");
    for (size_t number = 0; number < MANY; number++) many[number] = hak_malloc(40);
    for (size_t number = 1; number < MANY - 300; number++) hak_free(many[number]);
    hak_thread_flush();
    free_twice_with_others(many[0], many + MANY - 300, 300);
    hak_thread_flush();
}

/* Frees blocks of many slabs in an order in which neighbours lie in different ones, and once more an
 * address in one of them, so many blocks after that. */
static void free_among_scattered(size_t inner_offset, int distance) {
    enum { MANY = 100000, STEP = 7919 };
    static char *many[MANY];
    for (size_t number = 0; number < MANY; number++) many[number] = hak_malloc(40);
    char *block = laundered(many[(size_t)MANY / 2 * STEP % MANY]);
    announce(block + inner_offset);
    for (int number = 0; number < MANY; number++) {
        hak_free(many[(size_t)number * STEP % MANY]);
        if (number == MANY / 2 + distance) hak_free(block + inner_offset);
    }
    hak_thread_flush();
}

static void double_free_among_scattered(void) { free_among_scattered(0, 1); }
static void double_free_among_scattered_much_later(void) { free_among_scattered(0, 5000); }
static void free_of_inner_pointer_among_scattered(void) { free_among_scattered(8, -300); }

static void free_of_inner_pointer(void) {
    char *block = hak_malloc(96);
    announce(block + 16);
    hak_free(laundered(block + 16));
    hak_thread_flush();
    hak_free(block);
}

static void free_of_misaligned_pointer(void) {
    char *block = hak_malloc(96);
    announce(block + 3);
    hak_free(laundered(block + 3));
    hak_thread_flush();
    hak_free(block);
}

static void free_of_stack_pointer(void) {
    char local[64];
    announce(local);
    hak_free(laundered(local));
}

static void free_of_static_pointer(void) {
    announce(blocks);
    hak_free(laundered(blocks));
}

static void free_of_foreign_pointer(void) {
    void *foreign = malloc(100);
    announce(foreign);
    hak_free(laundered(foreign));
    free(foreign);
}

static void free_of_small_number(void) {
    announce((void *)(uintptr_t)0x10);
    hak_free(laundered((void *)(uintptr_t)0x10));
}

static void free_of_non_canonical_address(void) {
    announce((void *)(uintptr_t)0xdeadbeefdeadbee0u);
    hak_free(laundered((void *)(uintptr_t)0xdeadbeefdeadbee0u));
}

static void realloc_of_foreign_pointer(void) {
    char local[64];
    announce(local);
    REQUIRE(hak_realloc(laundered(local), 100) == NULL);
}

static void realloc_of_block_in_empty_slab(void) {
    void *survivor = hak_malloc(4096), *block = hak_malloc(640);
    announce(block);
    hak_free(block);
    hak_thread_flush();
    REQUIRE(hak_realloc(laundered(block), 100) == NULL);
    hak_free(survivor);
}

static void realloc_of_freed_large_block(void) {
    void *block = hak_malloc(200000), *other = hak_malloc(200000);
    announce(block);
    hak_free(block);
    REQUIRE(hak_realloc(laundered(block), 300000) == NULL);
    hak_free(other);
}

static void realloc_of_freed_huge_block(void) {
    void *block = hak_malloc(3000000), *other = hak_malloc(3000000);
    announce(block);
    hak_free(block);
    REQUIRE(hak_realloc(laundered(block), 100) == NULL);
    hak_free(other);
}

static void realloc_inside_large_block(void) {
    char *block = hak_malloc(200000);
    announce(block + 65536);
    REQUIRE(hak_realloc(laundered(block + 65536), 100) == NULL);
    hak_free(block);
}

/* In a heap of a host, by turns an account and a private one. */
static void heap_requests_for_freed_blocks(uint32_t is_private, size_t bytes, bool is_realloc) {
    hak_heap_options_t options = HAK_HEAP_OPTIONS_INIT;
    options.is_private = is_private;
    hak_heap_t *heap = hak_heap_new(&options);
    void *survivor = hak_malloc(4096), *block = hak_heap_malloc(heap, bytes), *other = hak_heap_malloc(heap, 200000);
    announce(block);
    hak_heap_free(heap, block);
    hak_thread_flush();
    if (is_realloc)
        REQUIRE(hak_heap_realloc(heap, laundered(block), 100) == NULL);
    else
        hak_heap_free(heap, laundered(block));
    hak_heap_free(heap, other);
    hak_heap_destroy(heap);
    hak_free(survivor);
}

static void account_realloc_in_empty_slab(void) { heap_requests_for_freed_blocks(0, 640, true); }
static void account_realloc_of_freed_large_block(void) { heap_requests_for_freed_blocks(0, 200000, true); }
static void account_free_of_freed_large_block(void) { heap_requests_for_freed_blocks(0, 200000, false); }
static void private_realloc_of_freed_large_block(void) { heap_requests_for_freed_blocks(1, 200000, true); }
static void private_free_of_freed_large_block(void) { heap_requests_for_freed_blocks(1, 200000, false); }

static void free_after_release(void) {
    void *block = hak_malloc(256);
    announce(block);
    hak_free(block);
    (void)hak_trim();
    hak_free(laundered(block));
}

static void large_double_free(void) {
    void *block = hak_malloc(200000), *other = hak_malloc(200000);
    announce(block);
    hak_free(block);
    hak_free(laundered(block));
    hak_free(other);
}

static void huge_double_free(void) {
    void *block = hak_malloc(3000000), *other = hak_malloc(3000000);
    announce(block);
    hak_free(block);
    hak_free(laundered(block));
    hak_free(other);
}

static void large_inner_pointer(void) {
    char *block = hak_malloc(200000);
    announce(block + 4096);
    hak_free(laundered(block + 4096));
    hak_free(block);
}

static void large_inner_pointer_at_slab(void) {
    char *block = hak_malloc(200000);
    announce(block + 65536);
    hak_free(laundered(block + 65536));
    hak_free(block);
}

static void huge_inner_pointer(void) {
    char *block = hak_malloc(5000000);
    announce(block + 2097152);
    hak_free(laundered(block + 2097152));
    hak_free(block);
}

static void large_free_after_release(void) {
    void *block = hak_malloc(3000000);
    announce(block);
    hak_free(block);
    (void)hak_trim();
    hak_free(laundered(block));
}

typedef struct Case {
    const char *name;
    const char *words; /* that the line contains */
    void (*run)(void);
} Case;

#define CASE(words, name) {#name, words, name}
static const Case cases[] = {
    CASE("double free", double_free_in_magazine),
    CASE("double free", double_free_after_flush),
    CASE("double free", double_free_found_by_overflow),
    CASE("double free", double_free_in_empty_slab),
    CASE("double free", double_free_empties_slab),
    CASE("double free", double_free_by_two_threads),
    CASE("free", double_free_into_large_block), /* double or invalid: nobody knows what lay there before */
    CASE("double free", double_free_into_released_superslab),
    CASE("double free", double_free_among_scattered),
    CASE("double free", double_free_among_scattered_much_later),
    CASE("invalid free", free_of_inner_pointer_among_scattered),
    CASE("invalid free", free_of_inner_pointer),
    CASE("invalid free", free_of_misaligned_pointer),
    CASE("invalid free", free_of_stack_pointer),
    CASE("invalid free", free_of_static_pointer),
    CASE("invalid free", free_of_foreign_pointer),
    CASE("invalid free", free_of_small_number),
    CASE("invalid free", free_of_non_canonical_address),
    CASE("invalid free", realloc_of_foreign_pointer),
    CASE("double free", realloc_of_block_in_empty_slab),
    CASE("double free", realloc_of_freed_large_block),
    CASE("double free", realloc_of_freed_huge_block),
    CASE("inside a large block", realloc_inside_large_block),
    CASE("double free", account_realloc_in_empty_slab),
    CASE("double free", account_realloc_of_freed_large_block),
    CASE("double free", account_free_of_freed_large_block),
    CASE("double free", private_realloc_of_freed_large_block),
    CASE("double free", private_free_of_freed_large_block),
    CASE("free", free_after_release), /* double or invalid: its slab may be spare or unmapped */
    CASE("double free", large_double_free),
    CASE("double free", huge_double_free),
    CASE("invalid free", large_inner_pointer),
    CASE("invalid free", large_inner_pointer_at_slab),
    CASE("invalid free", huge_inner_pointer),
    CASE("free", large_free_after_release),
};

/* ---- What is expected of all of them ---- */

static void run_aborting(void *context) {
    const Case *one = context;
    one->run();
}

static void run_reporting(void *context) {
    const Case *one = context;
    stats_option_set("on_error", "report");
    one->run();
    void *blocks_after[1000];
    for (size_t number = 0; number < 1000; number++) {
        blocks_after[number] = hak_malloc(16 + number);
        memset(blocks_after[number], (int)number, 16 + number);
    }
    for (size_t number = 0; number < 1000; number++) hak_free(blocks_after[number]);
    hak_thread_flush();
    REQUIRE_EQUAL(stats_checked().live_blocks, 0);
    REQUIRE_EQUAL(hak_check(), 0);
}

/* stderr: the announcement, then exactly one line of ours. */
static void require_line(const Case *one, const ChildResult *result) {
    char address[32] = "", thread[32] = "", address_word[48], thread_word[48];
    const char *line = strchr(result->errors, '\n');
    bool is_announced = sscanf(result->errors, "%31s %31s", address, thread) == 2 && line != NULL;
    snprintf(address_word, sizeof address_word, " of %s", address);
    snprintf(thread_word, sizeof thread_word, "thread %s)", thread);
    line = is_announced ? line + 1 : "";
    const char *line_end = strchr(line, '\n');
    bool is_right = is_announced && strncmp(line, "hakmem: error: ", 15) == 0 && strstr(line, one->words) != NULL &&
                    strstr(line, address_word) != NULL && strstr(line, "size class ") != NULL &&
                    strstr(line, thread_word) != NULL && line_end != NULL && line_end[1] == '\0';
    if (!is_right)
        fprintf(stderr, "%s: wanted '%s', '%s'; got: %s\n", one->name, one->words, address_word, result->errors);
    REQUIRE(is_right);
}

static void test_every_misuse_aborts(void **state) {
    (void)state;
    for (size_t index = 0; index < sizeof cases / sizeof *cases; index++) {
        ChildResult result = child_run(run_aborting, (void *)(uintptr_t)&cases[index]);
        if (result.signal != SIGABRT)
            fprintf(stderr, "%s: signal %d: %s\n", cases[index].name, result.signal, result.errors);
        REQUIRE_EQUAL(result.signal, SIGABRT);
        require_line(&cases[index], &result);
    }
}

static void test_every_misuse_can_be_reported_only(void **state) {
    (void)state;
    for (size_t index = 0; index < sizeof cases / sizeof *cases; index++) {
        ChildResult result = child_run(run_reporting, (void *)(uintptr_t)&cases[index]);
        if (result.exit_code != 0) fprintf(stderr, "%s:\n", cases[index].name);
        child_require_success(&result);
        require_line(&cases[index], &result);
    }
}

/* ---- The end of the process ---- */

/* Nothing flushes the magazine before. */
static void end_with_a_double_free(void *unused) {
    (void)unused;
    void *keeper = hak_malloc(600), *block = hak_malloc(600);
    announce(block);
    hak_free(block);
    hak_free(laundered(block));
    exit(keeper == NULL);
}

static void test_what_lies_in_a_magazine_is_looked_at_in_the_end(void **state) {
    (void)state;
    static const Case at_the_end = {"end_with_a_double_free", "double free", NULL};
    ChildResult result = child_run(end_with_a_double_free, NULL);
    REQUIRE_EQUAL(result.signal, SIGABRT);
    require_line(&at_the_end, &result);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_lies_in_a_magazine_is_looked_at_in_the_end),
        cmocka_unit_test(test_every_misuse_aborts),
        cmocka_unit_test(test_every_misuse_can_be_reported_only),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
