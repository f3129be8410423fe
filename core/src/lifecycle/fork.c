/*
 * lifecycle/fork.c - keeps the child of a multi-threaded process usable.
 *
 * Layer: lifecycle. Before the fork: freeze.c, which decides what a fork waits for. Thread rule: see fork.h. The
 * child has one thread.
 *
 * A thread that was in a fast path loses at most the block it was about to get: the store to the magazine's top is
 * its only commit. A thread that was between two locks of a flush loses what it had in hand, a magazine at most:
 * these blocks stay used in the child.
 */
#include "lifecycle/fork.h"

#include "heap/heap_all.h"
#include "lifecycle/freeze.h"
#include "lifecycle/pool.h"
#include "lifecycle/thread.h"
#include "platform/os.h"
#include "retention/burst.h"
#include "retention/inherited.h"
#include "retention/purge.h"
#include "superslab/superslab.h"

void fork_child(void) {
    STORE_RELAXED(detached_count, 0);
    if (os_process_claim_inherited()) os_process_claim_end(); /* what a child has inherited is put right below */
    core_release_locks();
    burst_inherit();
    inherited_purges_abandon();
    pool_gather();
    for (Heap *heap = LOAD_RELAXED(heap_list); heap != NULL; heap = heap->next)
        if (heap->kind == HEAP_THREAD && heap != heap_of_thread) (void)thread_heap_detach(heap);
    purge_to_idle_bound(); /* one for all of them */
}
