/*
 * stress/test_death.c - a SuperSlab dies while another thread's TLS slab or magazine points into it: the owner parked,
 * gone, with cached blocks, and with a third thread in between. No trim, no flush: the last free alone is the death.
 *
 * Each play runs in a process of its own: a thread that frees what others allocated notices the first zero at once, a
 * later one only after some hundred frees, lest a queue of one block between two threads pay for a zero each time.
 */
#include "support/child.h"
#include "support/stats.h"
#include "support/suite.h"
#include "support/threads.h"

enum { BLOCKS_MAX = 300000 };

typedef struct Scene {
    Story story;
    size_t count;        /* blocks that A allocates */
    size_t cached_count; /* of which it frees itself, so that they lie in its magazine */
    size_t block_bytes;
    void *blocks[BLOCKS_MAX];
} Scene;

static Scene scene;

enum { STEP_ALLOCATED = 1, STEP_DEAD = 2, STEP_AWOKE = 3 };

/* By the rows, which flush nothing before they are shown, unlike the sums. */
static void require_no_slabs(void) {
    hak_class_stats_t rows[STATS_CLASSES_MAX];
    size_t count = hak_stats_classes(rows, STATS_CLASSES_MAX);
    REQUIRE_AT_MOST(count, STATS_CLASSES_MAX);
    for (size_t index = 0; index < count; index++) REQUIRE_EQUAL(rows[index].slabs, 0);
}

static void require_nothing_active(void) {
    hak_stats_t stats = stats_checked();
    REQUIRE_EQUAL(stats.live_blocks, 0);
    REQUIRE_EQUAL(stats.superslabs_active, 0);
}

static void *allocate_park_and_wake(void *unused) {
    (void)unused;
    for (size_t number = 0; number < scene.count; number++) {
        scene.blocks[number] = hak_malloc(scene.block_bytes);
        REQUIRE(scene.blocks[number] != NULL);
    }
    for (size_t number = 0; number < scene.cached_count; number++) hak_free(scene.blocks[--scene.count]);
    story_reach(&scene.story, STEP_ALLOCATED);
    story_await(&scene.story, STEP_DEAD);
    void *again[100];
    for (size_t number = 0; number < 100; number++) {
        again[number] = hak_malloc(scene.block_bytes);
        REQUIRE(again[number] != NULL);
        *(size_t *)again[number] = number;
    }
    for (size_t number = 0; number < 100; number++) {
        REQUIRE_EQUAL(*(size_t *)again[number], number);
        hak_free(again[number]);
    }
    hak_thread_flush(); /* its own counters do not meet: another thread freed what it allocated */
    require_nothing_active();
    return NULL;
}

static void scene_set(size_t count, size_t cached_count, size_t block_bytes) {
    scene.story.step = 0;
    scene.count = count;
    scene.cached_count = cached_count;
    scene.block_bytes = block_bytes;
}

static void free_what_a_left(void) {
    uint64_t died = stats_now().superslabs_died;
    for (size_t number = 0; number < scene.count; number++) hak_free(scene.blocks[number]);
    require_no_slabs();
    require_nothing_active();
    REQUIRE_OP(stats_now().superslabs_died, >, died);
}

static void play_parked_here(void *unused) {
    (void)unused;
    pthread_t owner = threads_start(allocate_park_and_wake, NULL);
    story_await(&scene.story, STEP_ALLOCATED);
    free_what_a_left();
    story_reach(&scene.story, STEP_DEAD);
    threads_join(owner);
    require_nothing_active();
    REQUIRE_EQUAL(hak_check(), 0);
}

static void play_parked(size_t count, size_t cached_count, size_t block_bytes) {
    scene_set(count, cached_count, block_bytes);
    child_must_succeed(play_parked_here, NULL);
}

static void test_owner_parked(void **state) {
    (void)state;
    static const size_t counts[] = {1, 2, 100, 5000, BLOCKS_MAX};
    for (size_t index = 0; index < sizeof counts / sizeof *counts; index++) {
        play_parked(counts[index], 0, 16);
        play_parked(counts[index], 0, 48);
    }
    play_parked(2000, 0, 1024);
    play_parked(500, 0, 20000);
}

static void test_owner_parked_with_cached_blocks(void **state) {
    (void)state;
    play_parked(2, 1, 16);
    play_parked(100, 50, 16);
    play_parked(5000, 100, 64);
    play_parked(100000, 200, 16);
    play_parked(1000, 8, 2048);
}

static void play_parked_again_and_again(void *unused) {
    for (unsigned round = 0; round < 20; round++) {
        scene_set(5000 + 1000 * round, round * 5, 16 + 16 * (round % 5));
        play_parked_here(unused);
    }
}

static void test_owners_parked_one_after_another(void **state) {
    (void)state;
    child_must_succeed(play_parked_again_and_again, NULL);
}

static void *allocate_and_end(void *unused) {
    (void)unused;
    for (size_t number = 0; number < scene.count; number++) scene.blocks[number] = hak_malloc(scene.block_bytes);
    return NULL;
}

static void play_gone_here(void *unused) {
    (void)unused;
    size_t count = scene.count;
    threads_join(threads_start(allocate_and_end, NULL));
    REQUIRE_EQUAL(stats_checked().live_blocks, count);
    free_what_a_left();
    REQUIRE_EQUAL(hak_check(), 0);
}

static void play_gone(size_t count, size_t block_bytes) {
    scene_set(count, 0, block_bytes);
    child_must_succeed(play_gone_here, NULL);
}

static void test_owner_gone(void **state) {
    (void)state;
    play_gone(1, 16);
    play_gone(2, 16);
    play_gone(1000, 32);
    play_gone(100000, 16);
}

static void *free_in_thread(void *unused) {
    (void)unused;
    for (size_t number = 0; number < scene.count; number++) hak_free(scene.blocks[number]);
    return NULL;
}

static void play_all_gone_here(void *unused) {
    (void)unused;
    threads_join(threads_start(allocate_and_end, NULL));
    threads_join(threads_start(free_in_thread, NULL));
    require_nothing_active();
}

static void test_all_by_threads_that_are_gone(void **state) {
    (void)state;
    scene_set(50000, 0, 16);
    child_must_succeed(play_all_gone_here, NULL);
}

/* C allocates between A's blocks' lives and frees last. */
static void *allocate_between(void *unused) {
    (void)unused;
    story_await(&scene.story, STEP_ALLOCATED);
    void *own[1000];
    for (size_t number = 0; number < 1000; number++) own[number] = hak_malloc(scene.block_bytes);
    for (size_t number = 0; number < scene.count; number++) hak_free(scene.blocks[number]);
    REQUIRE_OP(stats_now().superslabs_active, >, 0);
    for (size_t number = 0; number < 1000; number++) hak_free(own[number]);
    require_nothing_active();
    story_reach(&scene.story, STEP_DEAD);
    return NULL;
}

static void play_third_thread_here(void *unused) {
    (void)unused;
    pthread_t owner = threads_start(allocate_park_and_wake, NULL);
    pthread_t between = threads_start(allocate_between, NULL);
    threads_join(owner);
    threads_join(between);
    require_nothing_active();
    REQUIRE_EQUAL(hak_check(), 0);
}

static void test_third_thread_allocates_between(void **state) {
    (void)state;
    static const size_t sizes[] = {16, 64, 512};
    for (size_t index = 0; index < sizeof sizes / sizeof *sizes; index++) {
        scene_set(20000, 30, sizes[index]);
        child_must_succeed(play_third_thread_here, NULL);
    }
}

/* Sixteen threads park with cached blocks; the main thread frees what they hold. */
enum { PARKED_COUNT = 16, PARKED_BLOCKS = 5000 };
static void *parked_blocks[PARKED_COUNT][PARKED_BLOCKS];
static Story parked_stories[PARKED_COUNT];

static void *park_with_blocks(void *number_pointer) {
    size_t number = *(size_t *)number_pointer;
    for (size_t place = 0; place < PARKED_BLOCKS; place++) parked_blocks[number][place] = hak_malloc(16 + number * 8);
    for (size_t place = 0; place < 20; place++) hak_free(hak_malloc(16 + number * 8));
    story_reach(&parked_stories[number], STEP_ALLOCATED);
    story_await(&parked_stories[number], STEP_DEAD);
    hak_free(hak_malloc(40));
    return NULL;
}

static void play_sixteen_here(void *unused) {
    (void)unused;
    pthread_t threads[PARKED_COUNT];
    size_t numbers[PARKED_COUNT];
    for (size_t number = 0; number < PARKED_COUNT; number++) {
        parked_stories[number] = (Story)STORY_START;
        numbers[number] = number;
        threads[number] = threads_start(park_with_blocks, &numbers[number]);
    }
    for (size_t number = 0; number < PARKED_COUNT; number++) story_await(&parked_stories[number], STEP_ALLOCATED);
    for (size_t place = 0; place < PARKED_BLOCKS; place++)
        for (size_t number = 0; number < PARKED_COUNT; number++) hak_free(parked_blocks[number][place]);
    require_nothing_active();
    for (size_t number = 0; number < PARKED_COUNT; number++) story_reach(&parked_stories[number], STEP_DEAD);
    for (size_t number = 0; number < PARKED_COUNT; number++) threads_join(threads[number]);
    require_nothing_active();
    REQUIRE_EQUAL(hak_check(), 0);
}

static void test_sixteen_parked(void **state) {
    (void)state;
    child_must_succeed(play_sixteen_here, NULL);
}

int main(void) {
    scene.story = (Story)STORY_START;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_owner_parked),
        cmocka_unit_test(test_owner_parked_with_cached_blocks),
        cmocka_unit_test(test_owners_parked_one_after_another),
        cmocka_unit_test(test_owner_gone),
        cmocka_unit_test(test_all_by_threads_that_are_gone),
        cmocka_unit_test(test_third_thread_allocates_between),
        cmocka_unit_test(test_sixteen_parked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
