/*
 * unit/test_zero_unobserved.c - zero active SuperSlabs after N blocks were allocated and freed, read from the supply's
 * own counts. hak_stats_get flushes what zero has left in magazines before it shows figures, so a test that asks it
 * cannot tell whether the last free alone was the death; this one can. Also where a thread frees last whose heap has
 * served another one, which had freed more.
 */
#include "superslab/superslab.h"
#include "support/child.h"
#include "support/stats.h"
#include "support/suite.h"
#include "support/threads.h"

enum { ROUNDS = 3, BLOCKS_MAX = 1000000 };
static void *blocks[BLOCKS_MAX];

static void live_and_die(void *count_pointer) {
    size_t count = *(size_t *)count_pointer;
    for (unsigned round = 0; round < ROUNDS; round++) {
        uint64_t died = superslab_counts().died;
        for (size_t number = 0; number < count; number++) REQUIRE((blocks[number] = hak_malloc(16)) != NULL);
        REQUIRE_OP(superslab_counts().active, >, 0);
        for (size_t number = 0; number < count; number++) hak_free(blocks[number]);
        SupplyCounts counts = superslab_counts();
        REQUIRE_EQUAL(counts.active, 0);
        REQUIRE_OP(counts.died, >, died);
    }
}

static void test_many_blocks(void **state) {
    (void)state;
    static const size_t counts[] = {100000, 500000, BLOCKS_MAX};
    for (size_t index = 0; index < sizeof counts / sizeof *counts; index++) {
        size_t count = counts[index];
        child_must_succeed(live_and_die, &count);
    }
}

enum { LEFT = 50000, TO_FIRST = 47000, STEP_ZERO = 1, STEP_END };

static Story story = STORY_START;

static void *free_some_and_end(void *unused) {
    for (size_t number = 0; number < TO_FIRST; number++) hak_free(blocks[number]);
    return unused;
}

static void *free_others_and_wait(void *unused) {
    for (size_t number = TO_FIRST; number < LEFT; number++) hak_free(blocks[number]);
    story_reach(&story, STEP_ZERO);
    story_await(&story, STEP_END);
    return unused;
}

static void die_in_a_heap_that_served_before(void *unused) {
    (void)unused;
    stats_option_set("retain_bytes", "1073741824"); /* no helper comes to what is cached */
    for (size_t number = 0; number < LEFT; number++)
        REQUIRE((blocks[number] = hak_malloc(16 + number % 64 * 16)) != NULL);
    threads_join(threads_start(free_some_and_end, NULL));
    pthread_t last = threads_start(free_others_and_wait, NULL);
    story_await(&story, STEP_ZERO);
    REQUIRE_EQUAL(superslab_counts().active, 0);
    story_reach(&story, STEP_END);
    threads_join(last);
}

static void test_heap_that_served_before(void **state) {
    (void)state;
    child_must_succeed(die_in_a_heap_that_served_before, NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_many_blocks),
        cmocka_unit_test(test_heap_that_served_before),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
