/*
 * lifecycle/thread.c - the heap of a thread, from its first block to its end.
 *
 * Layer: lifecycle. Thread rule: thread_heap_attach and the exit hook run in the thread whose heap it is.
 *
 * States of a heap: (unmade) -thread_heap_attach-> HEAP_THREAD -thread exit-> HEAP_POOLED -thread_heap_attach->
 * HEAP_THREAD. At exit the magazines are flushed and all slabs move to heap_shared, where any heap finds them.
 */
#include "lifecycle/thread.h"

#include "cache/flush.h"
#include "cache/owner.h"
#include "cache/reclaim.h"
#include "heap/heap.h"
#include "heap/heap_all.h"
#include "heap/heap_slabs.h"
#include "lifecycle/pool.h"
#include "platform/message.h"
#include "retention/retention.h"

/* Destructors of other thread-specific data may allocate after ours ran. The thread then gets a heap, and the hook is
 * armed, REATTACH_MAX times; after that the shared heap serves it. */
enum { REATTACH_MAX = 2 };
static _Thread_local unsigned exits_seen HAK_TLS_MODEL;

Heap *thread_heap_attach(void) {
    HAK_ASSERT(LOAD_RELAXED(heap_list) != NULL); /* started: by malloc, or before the block that is freed was made */
    if (exits_seen >= REATTACH_MAX) return NULL;
    lock_hand_fills(); /* a heap that is in no list yet */
    Heap *heap = pool_take(HEAP_THREAD);
    if (heap != NULL) heap_of_thread = heap;
    lock_hand_empties();
    if (heap == NULL) return NULL;
    os_thread_exit_hook_arm();
    return heap;
}

/* The heap's sums go to the retired ones, its slabs to the shared heap. Its magazines are empty. */
static void hand_over(Heap *heap) {
    lock_acquire(&heap->lock);
    lock_acquire(&heap_shared.lock);
    heap_slabs_adopt(&heap_shared, heap);
    lock_release(&heap_shared.lock);
    atomic_fetch_add_explicit(&heap_retired_live, (int64_t)pool_retire(heap), memory_order_relaxed);
    atomic_fetch_sub_explicit(&heap_thread_count, 1, memory_order_relaxed);
    lock_release(&heap->lock);
}

int64_t thread_heap_detach(Heap *heap) {
    owner_enter(heap);
    flush_all(heap);
    hand_over(heap);
    int64_t unreported_bytes = retention_take_unreported(heap);
    pool_put(heap);
    return unreported_bytes;
}

void thread_heap_detach_own(void) {
    Heap *heap = heap_of_thread;
    exits_seen++;
    if (heap->kind != HEAP_THREAD) return;
    lock_hand_fills(); /* until the heap is in the pool */
    heap_of_thread = &heap_none;
    int64_t unreported_bytes = thread_heap_detach(heap);
    lock_hand_empties();
    if (heap_live_blocks() == 0) reclaim_others(false);
    retention_report_returned(unreported_bytes);
}
