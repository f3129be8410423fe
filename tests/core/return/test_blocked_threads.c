/*
 * return/test_blocked_threads.c - many threads work in turn, leave a few survivors each and stay blocked: what lies
 * free between the survivors of one serves the next, so that resident memory does not grow with their number; and
 * what they have cached goes, also when nothing else is free. When they have ended, what their magazines lay in goes,
 * too.
 */
#include <stdio.h>
#include <string.h>

#include "support/child.h"
#include "support/resident.h"
#include "support/stats.h"
#include "support/suite.h"
#include "support/threads.h"

enum { THREADS = 16, BLOCKS = 60000, BLOCK_BYTES = 200, KEPT_EVERY = 100 };

static Story story = STORY_START;
static unsigned done_count;

/* As resident_run, and shows what the story has printed. */
static void run_and_show(void (*tell)(void *)) {
    if (resident_is_distorted()) skip();
    ChildResult result = child_run(tell, NULL);
    child_require_success(&result);
    fprintf(stderr, "%s", result.errors);
}

static void *work_and_wait(void *unused) {
    (void)unused;
    void **blocks = hak_malloc(BLOCKS * sizeof *blocks);
    for (size_t number = 0; number < BLOCKS; number++) memset(blocks[number] = hak_malloc(BLOCK_BYTES), 1, BLOCK_BYTES);
    for (size_t number = 0; number < BLOCKS; number++)
        if (number % KEPT_EVERY != 0) hak_free(blocks[number]);
    hak_free(blocks);
    story_reach(&story, ++done_count);
    story_await(&story, THREADS + 1);
    return NULL;
}

static void threads_in_turn(void *unused) {
    (void)unused;
    pthread_t threads[THREADS];
    size_t base = resident_bytes(), one = 0;
    for (unsigned number = 0; number < THREADS; number++) {
        threads[number] = threads_start(work_and_wait, NULL);
        story_await(&story, number + 1);
        resident_sleep_ms(30);
        if (number == 0) one = resident_bytes() - base;
    }
    resident_sleep_ms(700);
    size_t all = resident_bytes() - base;
    fprintf(stderr, "KiB resident: %zu after one thread, %zu after %d\n", one / 1024, all / 1024, THREADS);
    REQUIRE_AT_MOST(all, 5 * (size_t)BLOCKS * BLOCK_BYTES);
    REQUIRE_EQUAL(hak_check(), 0);
    story_reach(&story, THREADS + 1);
    for (unsigned number = 0; number < THREADS; number++) threads_join(threads[number]);
}

static void test_threads_in_turn(void **state) {
    (void)state;
    run_and_show(threads_in_turn);
}

/* Each frees what its magazines have room for: no OS page becomes free. */
enum { CACHING_THREADS = 200, CACHED_SIZES = 12, CACHED_BLOCKS = 50 };

static void *cache_and_wait(void *unused) {
    (void)unused;
    void *blocks[CACHED_BLOCKS];
    for (size_t size = 32; size <= 32 * CACHED_SIZES; size += 32) {
        for (size_t number = 0; number < CACHED_BLOCKS; number++) memset(blocks[number] = hak_malloc(size), 1, size);
        for (size_t number = 1; number < CACHED_BLOCKS; number++) hak_free(blocks[number]);
    }
    story_reach(&story, ++done_count);
    story_await(&story, CACHING_THREADS + 1);
    return NULL;
}

static void threads_with_caches(void *unused) {
    (void)unused;
    pthread_t threads[CACHING_THREADS];
    for (unsigned number = 0; number < CACHING_THREADS; number++) {
        threads[number] = threads_start(cache_and_wait, NULL);
        story_await(&story, number + 1);
    }
    size_t before = resident_bytes();
    /* The helper ends when it has nothing more to wait for. */
    resident_sleep_ms(600);
    for (unsigned looks = 0; looks < 100 && resident_thread_count() > CACHING_THREADS + 1; looks++)
        resident_sleep_ms(100);
    REQUIRE_EQUAL(resident_thread_count(), CACHING_THREADS + 1);
    size_t after = resident_bytes();
    hak_stats_t stats = stats_checked();
    fprintf(stderr, "KiB of %d idle threads: %zu resident, then %zu; %zu cached\n", CACHING_THREADS, before / 1024,
            after / 1024, (size_t)stats.cached_bytes / 1024);
    /* What is left is within the idle bound: 4 MiB and 5 % of what lives. */
    REQUIRE_AT_MOST(stats.cached_bytes, 4 * MIB + stats.live_bytes / 20);
    REQUIRE_EQUAL(hak_check(), 0);
    story_reach(&story, CACHING_THREADS + 1);
    for (unsigned number = 0; number < CACHING_THREADS; number++) threads_join(threads[number]);
}

static void test_threads_with_caches(void **state) {
    (void)state;
    run_and_show(threads_with_caches);
}

enum { ENDING_THREADS = 200, ENDING_BYTES_MAX = 2048, ENDING_BLOCKS = 12 };

static void *use_many_sizes(void *unused) {
    (void)unused;
    for (size_t size = 16; size <= ENDING_BYTES_MAX; size += 16) {
        void *blocks[ENDING_BLOCKS];
        for (size_t number = 0; number < ENDING_BLOCKS; number++) blocks[number] = hak_malloc(size);
        for (size_t number = 0; number < ENDING_BLOCKS; number++) hak_free(blocks[number]);
    }
    return NULL;
}

static void *use_many_sizes_and_wait(void *unused) {
    use_many_sizes(unused);
    story_reach(&story, ++done_count);
    story_await(&story, ENDING_THREADS + 1);
    return NULL;
}

static void threads_end(void *unused) {
    pthread_t threads[ENDING_THREADS];
    use_many_sizes(unused);
    size_t before = resident_bytes();
    for (unsigned number = 0; number < ENDING_THREADS; number++) {
        threads[number] = threads_start(use_many_sizes_and_wait, NULL);
        story_await(&story, number + 1);
    }
    story_reach(&story, ENDING_THREADS + 1);
    for (unsigned number = 0; number < ENDING_THREADS; number++) threads_join(threads[number]);
    (void)hak_trim();
    size_t after = resident_bytes();
    fprintf(stderr, "KiB resident: %zu before %d threads, %zu after their end\n", before / 1024, ENDING_THREADS,
            after / 1024);
    REQUIRE_AT_MOST(after, before + 6 * MIB);
    REQUIRE_EQUAL(hak_check(), 0);
}

static void test_threads_end(void **state) {
    (void)state;
    run_and_show(threads_end);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_threads_in_turn),
        cmocka_unit_test(test_threads_with_caches),
        cmocka_unit_test(test_threads_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
