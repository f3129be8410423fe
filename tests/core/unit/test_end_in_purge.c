/*
 * unit/test_end_in_purge.c - a thread ends while another one purges a slab of its heap: the slab goes to the shared
 * heap afterwards, where all threads find its free blocks. A private heap that ends then waits for the purge, since its
 * slabs go with it.
 *
 * In unit because it does by hand what a purge does before and after the kernel works.
 */
#include "api/account.h"
#include "heap/heap_all.h"
#include "heap/heap_slabs.h"
#include "slab/slab.h"
#include "superslab/superslab.h"
#include "support/child.h"
#include "support/resident.h"
#include "support/stats.h"
#include "support/suite.h"
#include "support/threads.h"

enum { BLOCKS = 640, BLOCK_BYTES = 1024, BLOCKS_PER_SURVIVOR = 32 };
enum { STEP_FREED = 1, STEP_END };

static Story story = STORY_START;
static void *blocks[BLOCKS];
static Heap *heap;

static void *free_most_and_end(void *unused) {
    for (size_t number = 0; number < BLOCKS; number++) REQUIRE((blocks[number] = hak_malloc(BLOCK_BYTES)) != NULL);
    for (size_t number = 0; number < BLOCKS; number++)
        if (number % BLOCKS_PER_SURVIVOR != 0) hak_free(blocks[number]);
    hak_thread_flush();
    heap = heap_of_thread;
    story_reach(&story, STEP_FREED);
    story_await(&story, STEP_END);
    return unused;
}

static Slab *slab_to_purging(void) {
    lock_acquire(&heap->lock);
    Slab *slab = heap->slabs.purge_oldest;
    REQUIRE(slab != NULL);
    heap_slab_to_purging(heap, slab);
    atomic_fetch_add(&detached_count, 1);
    lock_release(&heap->lock);
    return slab;
}

/* The kernel has refused: the OS pages are backed as before. */
static void slab_from_purging(Slab *slab) {
    lock_acquire(&heap->lock);
    (void)heap_slab_from_purging(heap, slab, slab->purging_pages);
    atomic_fetch_sub(&detached_count, 1);
    lock_release(&heap->lock);
}

static void end_in_purge(void *unused) {
    (void)unused;
    pthread_t thread = threads_start(free_most_and_end, NULL);
    story_await(&story, STEP_FREED);
    Slab *slab = slab_to_purging();
    story_reach(&story, STEP_END);
    threads_join(thread);
    REQUIRE_EQUAL(heap->kind, HEAP_POOLED);
    slab_from_purging(slab);
    REQUIRE_EQUAL((uintptr_t)LOAD_RELAXED(slab->owner), (uintptr_t)&heap_shared);
    REQUIRE_EQUAL(LOAD_RELAXED(heap->used_bytes), 0);
    REQUIRE_EQUAL(hak_check(), 0);
    for (size_t number = 0; number < BLOCKS; number += BLOCKS_PER_SURVIVOR) hak_free(blocks[number]);
    stats_require_all_returned();
}

static void test_thread_ends_in_purge(void **state) {
    (void)state;
    if (resident_os_page_bytes() == SLAB_BYTES) skip(); /* no OS page becomes free */
    child_must_succeed(end_in_purge, NULL);
}

/* ---- A private heap ---- */

static hak_heap_t *private_heap;
static _Atomic bool is_destroyed;

static void *destroy(void *unused) {
    hak_heap_destroy(private_heap);
    is_destroyed = true;
    return unused;
}

static void destroyed_in_purge(void *unused) {
    (void)unused;
    hak_heap_options_t options = HAK_HEAP_OPTIONS_INIT;
    options.is_private = 1;
    REQUIRE((private_heap = hak_heap_new(&options)) != NULL);
    heap = private_heap->private_heap;
    for (size_t number = 0; number < BLOCKS; number++)
        REQUIRE((blocks[number] = hak_heap_malloc(private_heap, BLOCK_BYTES)) != NULL);
    for (size_t number = 0; number < BLOCKS; number++)
        if (number % BLOCKS_PER_SURVIVOR != 0) hak_heap_free(private_heap, blocks[number]);
    hak_thread_flush();
    (void)hak_trim();
    for (size_t number = 1; number < BLOCKS; number++) /* dirty and free again */
        if (number % BLOCKS_PER_SURVIVOR != 0) blocks[number] = hak_heap_malloc(private_heap, BLOCK_BYTES);
    for (size_t number = 1; number < BLOCKS; number++)
        if (number % BLOCKS_PER_SURVIVOR != 0) hak_heap_free(private_heap, blocks[number]);
    Slab *slab = slab_to_purging();
    pthread_t thread = threads_start(destroy, NULL);
    resident_sleep_ms(20);
    REQUIRE(!is_destroyed);
    slab_from_purging(slab);
    threads_join(thread);
    REQUIRE(is_destroyed);
    REQUIRE_EQUAL(hak_check(), 0);
    stats_require_all_returned();
}

static void test_private_heap_ends_in_purge(void **state) {
    (void)state;
    if (resident_os_page_bytes() == SLAB_BYTES) skip();
    child_must_succeed(destroyed_in_purge, NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_thread_ends_in_purge),
        cmocka_unit_test(test_private_heap_ends_in_purge),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
