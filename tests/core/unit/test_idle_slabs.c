/*
 * unit/test_idle_slabs.c - the slabs of a blocked thread go to the shared heap little by little: no malloc of another
 * thread moves them all, and with time all are moved.
 *
 * In unit because it looks at what the shared heap holds.
 */
#include "heap/heap_all.h"
#include "support/child.h"
#include "support/resident.h"
#include "support/stats.h"
#include "support/suite.h"
#include "support/threads.h"

enum { SLABS = 6000, BLOCKS_PER_SLAB = 4, BLOCK_BYTES = SLAB_BYTES / BLOCKS_PER_SLAB };
enum { HALF_USED_BYTES = BLOCK_BYTES * BLOCKS_PER_SLAB / 2 };

static Story story = STORY_START;
static void *blocks[SLABS * BLOCKS_PER_SLAB];

/* Without touching them, so that they take no memory. */
static void *hold_half_used_slabs(void *unused) {
    (void)unused;
    for (size_t number = 0; number < SLABS * BLOCKS_PER_SLAB; number++)
        REQUIRE((blocks[number] = hak_malloc(BLOCK_BYTES)) != NULL);
    for (size_t number = 0; number < SLABS * BLOCKS_PER_SLAB; number += 2) hak_free(blocks[number]);
    hak_thread_flush();
    story_reach(&story, 1);
    story_await(&story, 2);
    for (size_t number = 1; number < SLABS * BLOCKS_PER_SLAB; number += 2) hak_free(blocks[number]);
    return NULL;
}

static int64_t shared_slabs(void) { return LOAD_RELAXED(heap_shared.used_bytes) / HALF_USED_BYTES; }

static void slabs_are_moved_by_and_by(void *unused) {
    (void)unused;
    enum { MALLOCS_MAX = 20000, IDLE_MS = 12, MOVED_AT_ONCE_MAX = 2100 }; /* four visits */
    static void *own[MALLOCS_MAX];
    pthread_t thread = threads_start(hold_half_used_slabs, NULL);
    story_await(&story, 1);
    size_t count = 0;
    int64_t moved_at_once = 0;
    for (; count < MALLOCS_MAX && shared_slabs() < SLABS * 9 / 10; count++) {
        if (count % 100 == 0 && count <= 1000) resident_sleep_ms(IDLE_MS);
        int64_t before = shared_slabs();
        REQUIRE((own[count] = hak_malloc(4096)) != NULL);
        int64_t moved = shared_slabs() - before;
        if (moved > moved_at_once) moved_at_once = moved;
    }
    REQUIRE_AT_LEAST(shared_slabs(), SLABS * 9 / 10);
    REQUIRE_OP(moved_at_once, >, 0);
    REQUIRE_AT_MOST(moved_at_once, MOVED_AT_ONCE_MAX);
    REQUIRE_EQUAL(hak_check(), 0);
    for (size_t number = 0; number < count; number++) hak_free(own[number]);
    story_reach(&story, 2);
    threads_join(thread);
    stats_require_all_returned();
}

static void test_slabs_are_moved_by_and_by(void **state) {
    (void)state;
    child_must_succeed(slabs_are_moved_by_and_by, NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_slabs_are_moved_by_and_by)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
