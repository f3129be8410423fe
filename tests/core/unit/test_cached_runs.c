/*
 * unit/test_cached_runs.c - freed runs are cached, and serve the next block of as many slabs; whatever else happens in
 * the supply takes them apart.
 *
 * In unit because it looks into the cache, and the test is the clock.
 */
#include <pthread.h>
#include <string.h>

#include "platform/os.h"
#include "retention/purge.h"
#include "superslab/registry.h"
#include "superslab/supply.h"
#include "support/child.h"
#include "support/stats.h"
#include "support/suite.h"
#include "support/threads.h"

enum { RUN_BYTES = 3 * (int)SLAB_BYTES, AGE_MS = 188, LONG_MS = 200 };

static uint64_t passed_ms;

uint64_t __wrap_hak_core_os_now_ms(void);
uint64_t __wrap_hak_core_os_now_ms(void) { return 1000000 + passed_ms; }

static char *touched_block(size_t bytes) {
    char *block = hak_malloc(bytes);
    REQUIRE(block != NULL);
    memset(block, 1, bytes);
    return block;
}

/* All of `bytes` is zero. */
static void require_zero(const char *block, size_t bytes) {
    for (size_t offset = 0; offset < bytes; offset++) REQUIRE_EQUAL(block[offset], 0);
}

static void no_purge_but_the_tests(void) {
    stats_option_set("purge_delay_ms", "3600000");
    stats_option_set("retain_bytes", "1000000000000");
}

/* The newest of as many slabs serves first; each has the bytes of its block, and what is free is counted. */
static void newest_serves(void *unused) {
    (void)unused;
    char *one = touched_block(RUN_BYTES), *two = touched_block(RUN_BYTES), *longer = touched_block(2 * RUN_BYTES);
    size_t shorter_bytes = RUN_BYTES - SLAB_BYTES / 2, shorter_pages = round_up_bytes(shorter_bytes, os_page_bytes);
    hak_free(one);
    hak_free(two);
    hak_free(longer);
    REQUIRE_EQUAL(supply.cached_run_count, 3);
    REQUIRE_EQUAL(hak_check(), 0);
    REQUIRE(hak_malloc(RUN_BYTES) == two);
    REQUIRE(hak_malloc(shorter_bytes) == one); /* as many slabs */
    REQUIRE_EQUAL(hak_check(), 0);
    REQUIRE_EQUAL(hak_usable_size(one), shorter_pages);
    REQUIRE(hak_malloc(2 * RUN_BYTES) == longer);
    REQUIRE_EQUAL(supply.cached_run_count, 0);
    REQUIRE_EQUAL(stats_checked().free_resident_bytes, RUN_BYTES - shorter_pages); /* the tail */
}

static void zeros_are_zero(void *unused) {
    (void)unused;
    char *block = touched_block(RUN_BYTES);
    hak_free(block);
    char *zeros = hak_calloc(1, RUN_BYTES);
    REQUIRE(zeros == block);
    require_zero(zeros, RUN_BYTES);
    memset(zeros, 1, RUN_BYTES);
    REQUIRE(hak_realloc(zeros, RUN_BYTES - SLAB_BYTES / 2) == zeros);
    hak_free(zeros);
    zeros = hak_calloc(1, RUN_BYTES); /* it was shorter when it was freed */
    REQUIRE(zeros == block);
    require_zero(zeros, RUN_BYTES);
    memset(zeros, 1, RUN_BYTES);
    hak_free(zeros);
    zeros = hak_calloc(1, RUN_BYTES - SLAB_BYTES / 2); /* it was longer */
    REQUIRE(zeros == block);
    require_zero(zeros, RUN_BYTES - SLAB_BYTES / 2);
}

/* A block with an alignment that no cached run has, a slab, and a block that grows take the runs apart. */
static void others_flush(void *unused) {
    (void)unused;
    char *before = touched_block(SLAB_BYTES + 1), *block = touched_block(RUN_BYTES);
    REQUIRE(block == before + 2 * SLAB_BYTES);
    hak_free(block);
    REQUIRE(hak_realloc(before, RUN_BYTES) == before);
    REQUIRE_EQUAL(supply.cached_run_count, 0);
    REQUIRE_EQUAL(hak_check(), 0);

    hak_free(touched_block(RUN_BYTES));
    REQUIRE_EQUAL(supply.cached_run_count, 1);
    char *aligned = hak_aligned_alloc(1 << 20, RUN_BYTES);
    REQUIRE((uintptr_t)aligned % (1 << 20) == 0);
    REQUIRE_EQUAL(supply.cached_run_count, 0);

    hak_free(aligned);
    REQUIRE_EQUAL(supply.cached_run_count, 1);
    char *slab_of_another_class = hak_malloc(20000);
    REQUIRE(slab_of_another_class != NULL);
    REQUIRE_EQUAL(supply.cached_run_count, 0);
    REQUIRE_EQUAL(hak_check(), 0);
}

static void many_are_taken_apart(void *unused) {
    (void)unused;
    enum { BLOCKS = 50 };
    char *block[BLOCKS];
    for (size_t number = 0; number < BLOCKS; number++) block[number] = touched_block(RUN_BYTES);
    for (size_t number = 0; number < BLOCKS; number++) {
        hak_free(block[number]);
        REQUIRE_AT_MOST(supply.cached_run_count, CACHED_RUNS_MAX);
        REQUIRE_EQUAL(hak_check(), 0);
    }
    stats_require_all_returned();
}

/* Its age is that of the moment when it was freed, not when it was taken apart. */
static void age_is_kept(void *unused) {
    (void)unused;
    no_purge_but_the_tests();
    char *older = touched_block(RUN_BYTES), *younger = touched_block(2 * RUN_BYTES);
    hak_free(older);
    passed_ms += LONG_MS;
    hak_free(younger);
    REQUIRE_EQUAL(supply.cached_run_count, 2);
    REQUIRE_EQUAL(purge_run(AGE_MS, 0, SIZE_MAX), RUN_BYTES);
    REQUIRE_EQUAL(hak_check(), 0);
    passed_ms += LONG_MS;
    REQUIRE_EQUAL(purge_run(AGE_MS, 0, SIZE_MAX), 2 * RUN_BYTES);
    REQUIRE_EQUAL(stats_checked().free_resident_bytes, 0);
}

/* A run that comes back to the SuperSlab with the oldest free slab does not make that one wait behind the others. */
static void order_is_kept(void *unused) {
    (void)unused;
    enum { BLOCK_BYTES = 256 << 10, IN_SUPERSLAB = (int)(SUPERSLAB_BYTES / BLOCK_BYTES), SUPERSLABS = 80 };
    static char *block[SUPERSLABS][IN_SUPERSLAB];
    no_purge_but_the_tests();
    for (size_t number = 0; number < SUPERSLABS; number++)
        for (size_t part = 0; part < IN_SUPERSLAB; part++) block[number][part] = touched_block(BLOCK_BYTES);
    hak_free(block[0][0]);
    passed_ms += LONG_MS;
    for (size_t number = 1; number < SUPERSLABS; number++) hak_free(block[number][0]);
    (void)stats_checked();
    hak_free(block[0][5]);
    (void)stats_checked();
    REQUIRE(supply.queue.oldest == ptr_to_superslab(block[0][1]));
    REQUIRE_EQUAL(purge_run(AGE_MS, 0, SIZE_MAX), BLOCK_BYTES);
}

/* Where one more comes than fit, the oldest half goes. */
static void newest_stay(void *unused) {
    (void)unused;
    char *block[CACHED_RUNS_MAX + 1];
    for (size_t number = 0; number <= CACHED_RUNS_MAX; number++) block[number] = touched_block(RUN_BYTES);
    for (size_t number = 0; number <= CACHED_RUNS_MAX; number++) hak_free(block[number]);
    REQUIRE_EQUAL(supply.cached_run_count, CACHED_RUNS_MAX / 2 + 1);
    for (size_t number = CACHED_RUNS_MAX; number >= CACHED_RUNS_MAX / 2; number--)
        REQUIRE(hak_malloc(RUN_BYTES) == block[number]);
}

/* Those with few backed slabs do not all stay spare: of many that die one at a time, as many as were cached at most. */
static void superslabs_die(void *unused) {
    (void)unused;
    enum { BLOCKS = 80, IN_SUPERSLAB = 2 };
    char *block[BLOCKS];
    no_purge_but_the_tests();
    for (size_t number = 0; number < BLOCKS; number++) {
        REQUIRE((block[number] = hak_aligned_alloc(SUPERSLAB_BYTES / IN_SUPERSLAB, SLAB_BYTES)) != NULL);
        block[number][0] = 1;
    }
    for (size_t number = 0; number < BLOCKS; number++) hak_free(block[number]);
    hak_stats_t stats = stats_checked();
    REQUIRE_EQUAL(stats.superslabs_active, 0);
    REQUIRE_AT_MOST(stats.superslabs_spare, CACHED_RUNS_MAX);
}

/* Threads that free and take at once, and children that are forked meanwhile, which check what they have. */
static void take_and_free(void *unused, size_t number) {
    (void)unused;
    enum { BLOCKS = 12, TURNS = 20000, SIZES = 5 };
    char *block[BLOCKS] = {NULL};
    for (size_t turn = 0; turn < TURNS; turn++) {
        size_t place = turn * (number + 5) % BLOCKS;
        hak_free(block[place]);
        REQUIRE((block[place] = hak_malloc(SLAB_BYTES * (1 + turn % SIZES) - number * 1000)) != NULL);
        block[place][0] = 1;
    }
    for (size_t place = 0; place < BLOCKS; place++) hak_free(block[place]);
}

static void check_and_use(void *unused) {
    REQUIRE_EQUAL(hak_check(), 0);
    take_and_free(unused, 0);
    REQUIRE_EQUAL(hak_check(), 0);
}

static void *fork_and_check(void *unused) {
    for (size_t times = 0; times < 20; times++) child_must_succeed(check_and_use, unused);
    return NULL;
}

static void threads_and_forks(void *unused) {
    pthread_t forking = threads_start(fork_and_check, unused);
    threads_run(3, take_and_free, unused);
    threads_join(forking);
    stats_require_all_returned();
}

static void damage_is_found(void *unused) {
    (void)unused;
    char *block = touched_block(RUN_BYTES);
    hak_free(block);
    registry_slab_class_set((uintptr_t)block, SLAB_CLASS_LARGE);
    REQUIRE_EQUAL(hak_check(), 1);
    registry_slab_class_set((uintptr_t)block, SLAB_CLASS_FREE);
    supply.cached_runs[0].slabs--;
    REQUIRE_EQUAL(hak_check(), 1);
}

static void test_cache(void **state) {
    (void)state;
    void (*const stories[])(void *) = {newest_serves, zeros_are_zero, others_flush,   many_are_taken_apart, age_is_kept,
                                       order_is_kept, newest_stay,    superslabs_die, threads_and_forks};
    for (size_t index = 0; index < sizeof stories / sizeof *stories; index++) child_must_succeed(stories[index], NULL);
}

static void test_damage_is_found(void **state) {
    (void)state;
    ChildResult result = child_run(damage_is_found, NULL);
    child_require_success(&result);
    REQUIRE(strstr(result.errors, "corruption: invariant I18 broken at 0x") != NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_cache), cmocka_unit_test(test_damage_is_found)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
