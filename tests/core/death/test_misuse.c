/*
 * death/test_misuse.c - double and invalid frees of all kinds, each in a child process (support/misuse.h).
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "support/misuse.h"
#include "support/stats.h"
#include "support/suite.h"
#include "support/threads.h"

enum { BLOCKS = 2000, SLAB_BYTES = 65536 };

static void *blocks[BLOCKS];
static void *offender; /* for the threads of a case */

/* ---- The cases ---- */

static void double_free_in_magazine(void) {
    void *block = hak_malloc(48), *keeper = hak_malloc(48);
    misuse_announce(block);
    hak_free(block);
    hak_free(misuse_laundered(block));
    hak_thread_flush();
    hak_free(keeper);
}

static void double_free_after_flush(void) {
    void *keeper = hak_malloc(48), *block = hak_malloc(48);
    misuse_announce(block);
    hak_free(block);
    hak_thread_flush();
    hak_free(misuse_laundered(block));
    hak_thread_flush();
    hak_free(keeper);
}

/* The magazine overflows between the two, so the first one is in its slab already; no flush is asked for. */
static void double_free_found_by_overflow(void) {
    for (size_t number = 0; number < BLOCKS; number++) blocks[number] = hak_malloc(32);
    misuse_announce(blocks[100]);
    for (size_t number = 0; number < BLOCKS - 1; number++) hak_free(blocks[number]);
    hak_free(misuse_laundered(blocks[100]));
    hak_thread_flush();
    hak_free(blocks[BLOCKS - 1]);
}

static void double_free_in_empty_slab(void) {
    void *survivor = hak_malloc(4096), *block = hak_malloc(640);
    misuse_announce(block);
    hak_free(block);
    hak_thread_flush();
    hak_free(misuse_laundered(block)); /* its slab belongs to no class any more */
    hak_free(survivor);
}

/* Both copies wait in the magazine, and the slab is emptied by the first. */
static void double_free_empties_slab(void) {
    void *survivor = hak_malloc(4096), *block = hak_malloc(704), *other = hak_malloc(704);
    misuse_announce(block);
    hak_free(block);
    hak_free(other);
    hak_free(misuse_laundered(block));
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
    misuse_announce(block);
    hak_free(misuse_laundered(block));
    hak_thread_flush();
    hak_free(keeper);
}

/* Frees `twice` twice, `others` in between and afterwards, until the first copy has left the magazine. */
static void free_twice_with_others(void *twice, void **others, size_t other_count) {
    misuse_announce(twice);
    hak_free(twice);
    for (size_t number = 0; number < 200; number++) hak_free(others[number]);
    hak_free(misuse_laundered(twice));
    for (size_t number = 200; number < other_count; number++) hak_free(others[number]);
}

/* The slab of a block that lies twice in the magazine becomes a large block before the second copy leaves. */
/* A thread's magazine has a block whose slab is no slab any more: the other thread's free has emptied it. */
static Story two_frees = STORY_START;
enum { IN_MAGAZINE = 1, SLAB_GONE };

static void *free_and_flush_later(void *block) {
    hak_free(block);
    story_reach(&two_frees, IN_MAGAZINE);
    story_await(&two_frees, SLAB_GONE);
    hak_thread_flush();
    return NULL;
}

static void double_free_flushed_after_slab(void) {
    void *block = hak_malloc(640);
    misuse_announce(block);
    pthread_t thread = threads_start(free_and_flush_later, block);
    story_await(&two_frees, IN_MAGAZINE);
    hak_free(misuse_laundered(block));
    hak_thread_flush();
    story_reach(&two_frees, SLAB_GONE);
    threads_join(thread);
}

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

static char *start_of(char *block) { return block; }
static char *inside_of(char *block) { return block + 8; }
static char *before_first_block(char *block) { return block - (uintptr_t)block % SLAB_BYTES + 16; }
static char *behind_last_block(char *block) { return block - (uintptr_t)block % SLAB_BYTES + SLAB_BYTES - 16; }

/* Frees blocks of many slabs in an order in which neighbours lie in different ones, and once more an
 * address in one of them, so many blocks after that. */
static void free_among_scattered(size_t block_bytes, char *(*address_in)(char *block), int distance) {
    enum { MANY = 100000, STEP = 7919 };
    static char *many[MANY];
    for (size_t number = 0; number < MANY; number++) many[number] = hak_malloc(block_bytes);
    char *address = misuse_laundered(address_in(many[(size_t)MANY / 2 * STEP % MANY]));
    misuse_announce(address);
    for (int number = 0; number < MANY; number++) {
        hak_free(many[(size_t)number * STEP % MANY]);
        if (number == MANY / 2 + distance) hak_free(address);
    }
    hak_thread_flush();
}

static void double_free_among_scattered(void) { free_among_scattered(40, start_of, 1); }
static void double_free_among_scattered_much_later(void) { free_among_scattered(40, start_of, 5000); }
static void free_of_inner_pointer_among_scattered(void) { free_among_scattered(40, inside_of, -300); }
static void free_before_first_block_among_scattered(void) { free_among_scattered(64, before_first_block, -300); }
static void free_behind_last_block_among_scattered(void) { free_among_scattered(64, behind_last_block, -300); }

static void free_in_slab_of_64(char *(*address_in)(char *block)) {
    char *block = hak_malloc(64);
    misuse_announce(address_in(block));
    hak_free(misuse_laundered(address_in(block)));
    hak_thread_flush();
    hak_free(block);
}

static void free_before_first_block(void) { free_in_slab_of_64(before_first_block); }
static void free_behind_last_block(void) { free_in_slab_of_64(behind_last_block); }

static void free_of_inner_pointer(void) {
    char *block = hak_malloc(96);
    misuse_announce(block + 16);
    hak_free(misuse_laundered(block + 16));
    hak_thread_flush();
    hak_free(block);
}

static void free_of_misaligned_pointer(void) {
    char *block = hak_malloc(96);
    misuse_announce(block + 3);
    hak_free(misuse_laundered(block + 3));
    hak_thread_flush();
    hak_free(block);
}

static void free_of_stack_pointer(void) {
    char local[64] = {0};
    misuse_announce(local);
    hak_free(misuse_laundered(local));
}

static void free_of_static_pointer(void) {
    misuse_announce(blocks);
    hak_free(misuse_laundered(blocks));
}

static void free_of_foreign_pointer(void) {
    void *foreign = calloc(1, 100);
    misuse_announce(foreign);
    hak_free(misuse_laundered(foreign));
    free(foreign);
}

static void free_of_small_number(void) {
    misuse_announce((void *)(uintptr_t)0x10);
    hak_free(misuse_laundered((void *)(uintptr_t)0x10));
}

static void free_of_non_canonical_address(void) {
    misuse_announce((void *)(uintptr_t)0xdeadbeefdeadbee0u);
    hak_free(misuse_laundered((void *)(uintptr_t)0xdeadbeefdeadbee0u));
}

static void realloc_of_foreign_pointer(void) {
    char local[64] = {0};
    misuse_announce(local);
    REQUIRE(hak_realloc(misuse_laundered(local), 100) == NULL);
}

static void free_after_release(void) {
    void *block = hak_malloc(256);
    misuse_announce(block);
    hak_free(block);
    (void)hak_trim();
    hak_free(misuse_laundered(block));
}

static void large_double_free(void) {
    void *block = hak_malloc(200000), *other = hak_malloc(200000);
    misuse_announce(block);
    hak_free(block);
    hak_free(misuse_laundered(block));
    hak_free(other);
}

static void huge_double_free(void) {
    void *block = hak_malloc(3000000), *other = hak_malloc(3000000);
    misuse_announce(block);
    hak_free(block);
    hak_free(misuse_laundered(block));
    hak_free(other);
}

static void large_inner_pointer(void) {
    char *block = hak_malloc(200000);
    misuse_announce(block + 4096);
    hak_free(misuse_laundered(block + 4096));
    hak_free(block);
}

static void large_inner_pointer_at_slab(void) {
    char *block = hak_malloc(200000);
    misuse_announce(block + 65536);
    hak_free(misuse_laundered(block + 65536));
    hak_free(block);
}

static void huge_inner_pointer(void) {
    char *block = hak_malloc(5000000);
    misuse_announce(block + 2097152);
    hak_free(misuse_laundered(block + 2097152));
    hak_free(block);
}

static void huge_inner_pointer_at_page(void) {
    char *block = hak_malloc(5000000);
    REQUIRE_EQUAL(hak_usable_size(block + 4096), 0);
    misuse_announce(block + 4096);
    hak_free(misuse_laundered(block + 4096));
    hak_free(block);
}

static void large_free_after_release(void) {
    void *block = hak_malloc(3000000);
    misuse_announce(block);
    hak_free(block);
    (void)hak_trim();
    hak_free(misuse_laundered(block));
}

static const MisuseCase cases[] = {
    MISUSE_CASE("double free", double_free_in_magazine),
    MISUSE_CASE("double free", double_free_after_flush),
    MISUSE_CASE("double free", double_free_found_by_overflow),
    MISUSE_CASE("double free", double_free_in_empty_slab),
    MISUSE_CASE("double free", double_free_empties_slab),
    MISUSE_CASE("double free", double_free_by_two_threads),
    MISUSE_CASE("double free", double_free_flushed_after_slab),
    MISUSE_CASE("free", double_free_into_large_block), /* double or invalid: nobody knows what lay there before */
    MISUSE_CASE("double free", double_free_into_released_superslab),
    MISUSE_CASE("double free", double_free_among_scattered),
    MISUSE_CASE("double free", double_free_among_scattered_much_later),
    MISUSE_CASE("invalid free", free_of_inner_pointer_among_scattered),
    MISUSE_CASE("invalid free", free_before_first_block_among_scattered),
    MISUSE_CASE("invalid free", free_behind_last_block_among_scattered),
    MISUSE_CASE("invalid free", free_before_first_block),
    MISUSE_CASE("invalid free", free_behind_last_block),
    MISUSE_CASE("invalid free", free_of_inner_pointer),
    MISUSE_CASE("invalid free", free_of_misaligned_pointer),
    MISUSE_CASE("invalid free", free_of_stack_pointer),
    MISUSE_CASE("invalid free", free_of_static_pointer),
    MISUSE_CASE("invalid free", free_of_foreign_pointer),
    MISUSE_CASE("invalid free", free_of_small_number),
    MISUSE_CASE("invalid free", free_of_non_canonical_address),
    MISUSE_CASE("invalid free", realloc_of_foreign_pointer),
    MISUSE_CASE("free", free_after_release), /* double or invalid: its slab may be spare or unmapped */
    MISUSE_CASE("double free", large_double_free),
    MISUSE_CASE("double free", huge_double_free),
    MISUSE_CASE("invalid free", large_inner_pointer),
    MISUSE_CASE("invalid free", large_inner_pointer_at_slab),
    MISUSE_CASE("invalid free", huge_inner_pointer),
    MISUSE_CASE("invalid free", huge_inner_pointer_at_page),
    MISUSE_CASE("free", large_free_after_release),
};

static void test_every_misuse_aborts(void **state) {
    (void)state;
    misuse_cases_abort(cases, sizeof cases / sizeof *cases);
}

static void test_every_misuse_can_be_reported_only(void **state) {
    (void)state;
    misuse_cases_are_reported(cases, sizeof cases / sizeof *cases);
}

/* ---- The end of the process ---- */

/* Nothing flushes the magazine before. */
static void end_with_a_double_free(void *unused) {
    (void)unused;
    void *keeper = hak_malloc(600), *block = hak_malloc(600);
    misuse_announce(block);
    hak_free(block);
    hak_free(misuse_laundered(block));
    exit(keeper == NULL);
}

static void test_what_lies_in_a_magazine_is_looked_at_in_the_end(void **state) {
    (void)state;
    static const MisuseCase at_the_end = {"end_with_a_double_free", "double free", NULL};
    ChildResult result = child_run(end_with_a_double_free, NULL);
    REQUIRE_EQUAL(result.signal, SIGABRT);
    misuse_require_line(&at_the_end, &result);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_lies_in_a_magazine_is_looked_at_in_the_end),
        cmocka_unit_test(test_every_misuse_aborts),
        cmocka_unit_test(test_every_misuse_can_be_reported_only),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
