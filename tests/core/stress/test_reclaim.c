/*
 * stress/test_reclaim.c - the caches of other threads: a blocked thread's is taken by hak_trim, by the helper, and at
 * the zero of the process; the thread goes on as if nothing had been. A thread that is just starting or ending is in
 * nobody's way. (Threads at full speed: test_hammer.)
 */
#include <string.h>

#include "support/child.h"
#include "support/pattern.h"
#include "support/resident.h"
#include "support/stats.h"
#include "support/suite.h"
#include "support/threads.h"

enum { STEP_CACHED = 1, STEP_TAKEN = 2, STEP_AGAIN = 3, STEP_TAKEN_AGAIN = 4 };

static Story story = STORY_START;
static hak_class_stats_t rows[STATS_CLASSES_MAX];

/* Blocks of every class, half of them freed: they lie in the magazines. */
static void fill_caches(void **held, size_t class_count) {
    for (size_t index = 0; index < class_count; index++) {
        size_t bytes = (size_t)rows[index].block_bytes;
        held[index] = hak_malloc_align8(bytes);
        pattern_fill(held[index], bytes, index);
        void *first = hak_malloc_align8(bytes), *second = hak_malloc_align8(bytes);
        hak_free(first);
        hak_free(second);
    }
}

static void *cache_and_block(void *class_count_pointer) {
    size_t class_count = *(size_t *)class_count_pointer;
    void *held[STATS_CLASSES_MAX];
    for (unsigned step = STEP_CACHED; step <= STEP_AGAIN; step += 2) {
        fill_caches(held, class_count);
        story_reach(&story, step);
        story_await(&story, step + 1);
        for (size_t index = 0; index < class_count; index++) {
            REQUIRE(pattern_holds(held[index], (size_t)rows[index].block_bytes, index));
            hak_free(held[index]);
        }
    }
    return NULL;
}

static void trim_takes_the_cache(void *unused) {
    (void)unused;
    size_t class_count = hak_stats_classes(rows, STATS_CLASSES_MAX);
    pthread_t thread = threads_start(cache_and_block, &class_count);
    for (unsigned step = STEP_CACHED; step <= STEP_AGAIN; step += 2) {
        story_await(&story, step);
        REQUIRE_AT_LEAST(stats_checked().cached_bytes, 100000);
        (void)hak_trim();
        hak_stats_t stats = stats_checked();
        REQUIRE_EQUAL(stats.cached_bytes, 0);
        REQUIRE_EQUAL(stats.live_blocks, class_count);
        REQUIRE_EQUAL(stats.free_resident_bytes, 0);
        REQUIRE_EQUAL(hak_check(), 0);
        story_reach(&story, step + 1);
    }
    threads_join(thread);
    stats_require_all_returned();
}

static void run_story(void (*run)(void *)) {
    ChildResult result = child_run(run, NULL);
    child_require_success(&result);
    assert_string_equal(result.errors, "");
}

static void test_trim_takes_a_blocked_threads_cache(void **state) {
    (void)state;
    run_story(trim_takes_the_cache);
}

/* The helper wakes for other memory, and then looks at idle threads too. */
static void helper_takes_the_cache(void *unused) {
    (void)unused;
    static void *blocks[100000];
    size_t class_count = hak_stats_classes(rows, STATS_CLASSES_MAX);
    stats_option_set("purge_delay_ms", "40");
    pthread_t thread = threads_start(cache_and_block, &class_count);
    for (unsigned step = STEP_CACHED; step <= STEP_AGAIN; step += 2) {
        story_await(&story, step);
        for (size_t number = 0; number < 100000; number++) blocks[number] = hak_malloc(400);
        for (size_t number = 0; number < 100000; number++) hak_free(blocks[number]);
        hak_thread_flush();
        for (unsigned tries = 0; tries < 200 && stats_now().cached_bytes != 0; tries++) resident_sleep_ms(10);
        REQUIRE_EQUAL(stats_checked().cached_bytes, 0);
        story_reach(&story, step + 1);
    }
    threads_join(thread);
    stats_require_all_returned();
}

static void test_helper_takes_a_blocked_threads_cache(void **state) {
    (void)state;
    run_story(helper_takes_the_cache);
}

/* ---- Trim while threads start and end ---- */

static _Atomic bool is_over;

static void *start_and_end(void *unused) {
    while (!atomic_load(&is_over)) {
        pthread_t threads[4];
        for (size_t number = 0; number < 4; number++) {
            static size_t counts[4] = {1, 20, 50, 100};
            threads[number] = threads_start(cache_and_block, &counts[number]);
        }
        for (size_t number = 0; number < 4; number++) threads_join(threads[number]);
    }
    return unused;
}

static void trim_while_threads_start_and_end(void *unused) {
    (void)unused;
    (void)hak_stats_classes(rows, STATS_CLASSES_MAX);
    story_reach(&story, STEP_TAKEN_AGAIN); /* nobody blocks */
    pthread_t first = threads_start(start_and_end, NULL), second = threads_start(start_and_end, NULL);
    for (unsigned round = 0; round < 600 * suite_scale(); round++) {
        (void)hak_trim();
        if (round % 20 == 0) REQUIRE_EQUAL(hak_check(), 0);
        resident_sleep_ms(1);
    }
    atomic_store(&is_over, true);
    threads_join(first);
    threads_join(second);
    stats_require_all_returned();
}

static void test_trim_while_threads_start_and_end(void **state) {
    (void)state;
    run_story(trim_while_threads_start_and_end);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_trim_takes_a_blocked_threads_cache),
        cmocka_unit_test(test_helper_takes_a_blocked_threads_cache),
        cmocka_unit_test(test_trim_while_threads_start_and_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
