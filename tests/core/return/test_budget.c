/*
 * return/test_budget.c - being small is cheap: what a process, a thread, a SuperSlab with one block and a full heap
 * keep resident beside their blocks.
 */
#include <stdio.h>
#include <string.h>

#include "support/resident.h"
#include "support/stats.h"
#include "support/suite.h"
#include "support/threads.h"

static void require_at_most(const char *what, size_t have_bytes, size_t allowed_bytes) {
    if (have_bytes > allowed_bytes) fprintf(stderr, "%s: %zu bytes, allowed %zu\n", what, have_bytes, allowed_bytes);
    REQUIRE_AT_MOST(have_bytes, allowed_bytes);
}

/* 0 where it fell: the start gives back what a huge page of the machine's put behind the registry's tables. */
static size_t bytes_above(size_t base_bytes) {
    size_t now = resident_bytes();
    return now > base_bytes ? now - base_bytes : 0;
}

static void nothing_is_mapped_before_the_first_block(void *unused) {
    (void)unused;
    REQUIRE_EQUAL(hak_owns(&unused), 0);
    hak_free(NULL);
    REQUIRE_EQUAL(stats_now().mapped_bytes, 0);
    REQUIRE_EQUAL(stats_now().metadata_bytes, 0);
    REQUIRE_EQUAL(stats_now().superslabs_born, 0);
}

static void test_nothing_is_mapped_before_the_first_block(void **state) {
    (void)state;
    resident_run(nothing_is_mapped_before_the_first_block, NULL);
}

/* Most of it is code that had not run before. */
static void first_block(void *unused) {
    (void)unused;
    size_t base = resident_bytes();
    void *block = hak_malloc(40);
    memset(block, 1, 40);
    require_at_most("the first block", bytes_above(base), MIB);
}

static void test_first_block(void **state) {
    (void)state;
    resident_run(first_block, NULL);
}

/* One survivor in each SuperSlab. */
static void sparse_superslabs(void *unused) {
    (void)unused;
    enum { COUNT = 200 * 32 * 64, EACH = 32 * 64 };
    static void *blocks[COUNT];
    memset(blocks, 1, sizeof blocks);
    hak_free(hak_malloc(1));
    size_t base = resident_bytes();
    for (size_t number = 0; number < COUNT; number++) memset(blocks[number] = hak_malloc(1024), 1, 1024);
    size_t kept = 0;
    for (size_t number = 0; number < COUNT; number++) {
        if (number % EACH == EACH / 2)
            kept++;
        else
            hak_free(blocks[number]);
    }
    (void)hak_trim();
    hak_stats_t stats = stats_checked();
    REQUIRE_EQUAL(stats.live_blocks, kept);
    REQUIRE_AT_LEAST(stats.superslabs_active, kept - 2);
    size_t page_bytes = resident_os_page_bytes();
    require_at_most("sparse SuperSlabs", bytes_above(base), kept * 4 * page_bytes + MIB / 2);
}

static void test_superslab_with_one_block(void **state) {
    (void)state;
    resident_run(sparse_superslabs, NULL);
}

enum { IDLE_THREADS = 64 };
static Story story = STORY_START;
static _Atomic unsigned idle_count;

static void *idle(void *is_allocating) {
    if (is_allocating != NULL) memset(hak_malloc(48), 1, 48);
    atomic_fetch_add(&idle_count, 1);
    story_await(&story, 1);
    return NULL;
}

static size_t resident_with_threads(void *(*run)(void *), void *is_allocating) {
    pthread_t threads[IDLE_THREADS];
    story.step = 0;
    atomic_store(&idle_count, 0);
    for (size_t number = 0; number < IDLE_THREADS; number++) threads[number] = threads_start(run, is_allocating);
    while (atomic_load(&idle_count) < IDLE_THREADS) resident_sleep_ms(1);
    size_t bytes = resident_bytes();
    story_reach(&story, 1);
    for (size_t number = 0; number < IDLE_THREADS; number++) threads_join(threads[number]);
    return bytes;
}

static void idle_threads(void *unused) {
    (void)unused;
    hak_free(hak_malloc(1));
    (void)resident_with_threads(idle, NULL); /* so that the C library has its stacks */
    size_t without = resident_with_threads(idle, NULL), with = resident_with_threads(idle, &story);
    size_t allowed = 4 * resident_os_page_bytes() > 65536 ? 4 * resident_os_page_bytes() : 65536;
    require_at_most("idle threads", with - without, IDLE_THREADS * allowed);
}

static void test_idle_thread(void **state) {
    (void)state;
    resident_run(idle_threads, NULL);
}

/* What a thread of an interpreter holds while it waits: a few blocks of many classes. */
enum { FEW_SIZES = 15, FEW_BLOCKS = 7 };
static const size_t few_sizes[FEW_SIZES] = {16, 24, 32, 40, 48, 56, 64, 72, 80, 96, 120, 144, 208, 232, 304};

static size_t hold_few(void) {
    size_t bytes = 0;
    for (size_t number = 0; number < FEW_SIZES * FEW_BLOCKS; number++) {
        size_t size = few_sizes[number % FEW_SIZES];
        memset(hak_malloc(size), 1, size);
        bytes += size;
    }
    return bytes;
}

static void *idle_with_few(void *is_allocating) {
    if (is_allocating != NULL) (void)hold_few();
    return idle(NULL);
}

static void idle_threads_with_few_of_many_classes(void *unused) {
    (void)unused;
    size_t held_bytes = hold_few();
    (void)resident_with_threads(idle_with_few, NULL);
    size_t without = resident_with_threads(idle_with_few, NULL);
    uint64_t mapped_bytes = stats_now().mapped_bytes;
    size_t with = resident_with_threads(idle_with_few, &story);
    size_t allowed = 4 * resident_os_page_bytes() > 65536 ? 4 * resident_os_page_bytes() : 65536;
    require_at_most("idle threads with few blocks", with - without, IDLE_THREADS * (held_bytes + allowed));
    require_at_most("addresses for them", stats_now().mapped_bytes - mapped_bytes,
                    IDLE_THREADS * 2 * held_bytes + 4 * MIB);
}

static void test_idle_thread_with_few_of_many_classes(void **state) {
    (void)state;
    resident_run(idle_threads_with_few_of_many_classes, NULL);
}

static void full_heap(void *unused) {
    (void)unused;
    enum { COUNT = 1000000, BLOCK_BYTES = 64 };
    static void *blocks[COUNT];
    memset(blocks, 1, sizeof blocks);
    size_t base = resident_bytes();
    for (size_t number = 0; number < COUNT; number++) memset(blocks[number] = hak_malloc(BLOCK_BYTES), 1, BLOCK_BYTES);
    size_t percent = resident_os_page_bytes() > 16384 ? 4 : 2;
    size_t block_bytes = (size_t)COUNT * BLOCK_BYTES;
    size_t free_bytes = stats_now().free_resident_bytes; /* the newest SuperSlab may have a huge page */
    require_at_most("free in a full heap", free_bytes, 2 * MIB);
    require_at_most("a full heap", bytes_above(base), free_bytes + block_bytes + block_bytes / 100 * percent + MIB / 2);
}

static void test_full_heap(void **state) {
    (void)state;
    resident_run(full_heap, NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nothing_is_mapped_before_the_first_block),
        cmocka_unit_test(test_first_block),
        cmocka_unit_test(test_superslab_with_one_block),
        cmocka_unit_test(test_idle_thread),
        cmocka_unit_test(test_idle_thread_with_few_of_many_classes),
        cmocka_unit_test(test_full_heap),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
