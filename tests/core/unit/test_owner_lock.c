/*
 * unit/test_owner_lock.c - a slab changes hands while a thread waits for its owner's lock: the thread ends up with the
 * lock of the new owner.
 *
 * In unit because it takes the locks itself, so that it knows when the other thread waits.
 */
#include "heap/heap_all.h"
#include "heap/heap_slabs.h"
#include "heap/owner_lock.h"
#include "support/child.h"
#include "support/resident.h"
#include "support/stats.h"
#include "support/suite.h"
#include "support/threads.h"

enum { BLOCKS = 640, BLOCK_BYTES = 1024, LOCK_WITH_SLEEPERS = 2 };

static Slab *slab;
static Heap *locked, *owner_then;

static void *lock_owner(void *unused) {
    OwnerLock held = {heap_of_thread, NULL, 0, 0};
    owner_lock_move(&held, slab);
    locked = held.owner;
    owner_then = LOAD_RELAXED(slab->owner);
    owner_lock_end(&held);
    return unused;
}

static void slab_changes_hands(void *unused) {
    (void)unused;
    static void *blocks[BLOCKS];
    for (size_t number = 0; number < BLOCKS; number++) REQUIRE((blocks[number] = hak_malloc(BLOCK_BYTES)) != NULL);
    Heap *heap = heap_of_thread;
    slab = heap_slab_of_block(blocks[BLOCKS - 1]);
    REQUIRE(slab != NULL && LOAD_RELAXED(slab->owner) == heap);
    lock_acquire(&heap->lock);
    pthread_t thread = threads_start(lock_owner, NULL);
    while (LOAD_RELAXED(heap->lock.state) != LOCK_WITH_SLEEPERS) resident_sleep_ms(1);
    lock_acquire(&heap_shared.lock);
    heap_slab_change_owner(&heap_shared, heap, slab);
    heap_slab_insert(&heap_shared, slab);
    lock_release(&heap_shared.lock);
    lock_release(&heap->lock);
    threads_join(thread);
    REQUIRE(owner_then == &heap_shared);
    REQUIRE(locked == &heap_shared);
    REQUIRE_EQUAL(hak_check(), 0);
    for (size_t number = 0; number < BLOCKS; number++) hak_free(blocks[number]);
    stats_require_all_returned();
}

static void test_slab_changes_hands(void **state) {
    (void)state;
    child_must_succeed(slab_changes_hands, NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_slab_changes_hands)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
