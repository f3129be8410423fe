/*
 * lifecycle/fork.c - keeps the child of a multi-threaded process usable.
 *
 * Layer: lifecycle. Thread rule: see fork.h. The child has one thread; the heaps of the others are detached as if these had
 * ended. A thread that was inside a fast path loses nothing but, at worst, the one block it was about to get: its only
 * commit is the store to the magazine's top. One that was between two locks of a flush loses what it had in hand, a
 * magazine at most: these blocks stay used in the child.
 */
#include "lifecycle/fork.h"

#include "heap/heap.h"
#include "heap/heap_all.h"
#include "lifecycle/thread.h"
#include "retention/helper.h"
#include "retention/purge.h"
#include "superslab/metadata.h"
#include "superslab/superslab.h"

static void lock_all(void) {
    heap_lock_all();
    lock_acquire(&supply_lock);
    lock_acquire(&metadata_lock);
}

static void unlock_all(void) {
    lock_release(&metadata_lock);
    lock_release(&supply_lock);
    heap_unlock_all();
}

/* Other threads' purges are brief, but without end there may always be one. */
enum { WAITS_FOR_PURGES_MAX = 100, WAIT_MS = 1 };

void fork_prepare(void) {
    purge_to_idle_bound(); /* before others have to wait; what they free meanwhile goes after the fork */
    helper_stop();
    lock_all();
    for (unsigned waits = 0; waits < WAITS_FOR_PURGES_MAX && LOAD_RELAXED(detached_count) != 0; waits++) {
        unlock_all();
        os_sleep_ms(WAIT_MS);
        lock_all();
    }
}

void fork_parent(void) {
    unlock_all();
    helper_allow();
    purge_to_idle_bound();
}

void fork_child(void) {
    STORE_RELAXED(detached_count, 0);
    unlock_all();
    helper_allow();
    purge_abandon_all();
    for (Heap *heap = LOAD_RELAXED(heap_list); heap != NULL; heap = heap->next)
        if (heap->kind == HEAP_THREAD && heap != heap_of_thread) (void)heap_detach(heap); /* one look for all of them, below */
    purge_to_idle_bound();
}
