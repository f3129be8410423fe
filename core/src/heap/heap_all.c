/*
 * heap/heap_all.c - all heaps of the process: their list, the shared one, the sums over them.
 *
 * Layer: heap. Does not make or end heaps. Thread rule: sums read without locks, and are exact while other threads
 * rest.
 */
#include "heap/heap_all.h"

#include "platform/option.h"

Lock heap_list_lock = {.rank = LOCK_RANK_HEAP_LIST};
Heap *_Atomic heap_list;
Heap heap_none; /* kind HEAP_NONE, magazines without room: every operation takes the slow path */
Heap heap_shared = {.kind = HEAP_SHARED, .lock = {.rank = LOCK_RANK_SHARED_HEAP}};
_Atomic int64_t heap_retired_live;
_Atomic uint64_t heap_retired_mallocs;
_Atomic uint64_t heap_large_mallocs;
_Atomic uint32_t heap_thread_count;
_Atomic uint32_t heap_count;
_Atomic uint32_t heap_superslabs_born_count;

_Thread_local Heap *heap_of_thread HAK_TLS_MODEL = &heap_none;

/* ---- The list ---- */

void heap_list_add(Heap *heap) {
    heap->next = LOAD_RELAXED(heap_list);
    /* release; pairs with the acquire of those who walk the list without its lock */
    atomic_store_explicit(&heap_list, heap, memory_order_release);
    STORE_RELAXED(heap_count, LOAD_RELAXED(heap_count) + 1);
}

void heap_lock_all(void) {
    lock_order_suspend(true);
    lock_acquire(&heap_list_lock);
    for (Heap *heap = LOAD_RELAXED(heap_list); heap != NULL; heap = heap->next)
        if (heap != &heap_shared) lock_acquire(&heap->lock);
    lock_acquire(&heap_shared.lock);
}

void heap_unlock_all(void) {
    lock_release(&heap_shared.lock);
    for (Heap *heap = LOAD_RELAXED(heap_list); heap != NULL; heap = heap->next)
        if (heap != &heap_shared) lock_release(&heap->lock);
    lock_release(&heap_list_lock);
    lock_order_suspend(false);
}

/* ---- Counters ---- */

void heap_count_if_on(Heap *heap, HeapCounter counter, uint64_t amount) {
    if (option_value(OPTION_COUNTERS) != 0)
        atomic_fetch_add_explicit(&heap->counter[counter], amount, memory_order_relaxed);
}

uint64_t heap_live_blocks(void) {
    int64_t live = LOAD_RELAXED(heap_retired_live);
    for (Heap *heap = atomic_load_explicit(&heap_list, memory_order_acquire); heap != NULL; heap = heap->next)
        live += (int64_t)(LOAD_RELAXED(heap->requests.mallocs) - LOAD_RELAXED(heap->requests.frees)) -
                LOAD_RELAXED(heap->alloc.rebased);
    return live < 0 ? 0 : (uint64_t)live;
}

int64_t heap_used_bytes_all(void) {
    int64_t bytes = 0;
    for (Heap *heap = atomic_load_explicit(&heap_list, memory_order_acquire); heap != NULL; heap = heap->next)
        bytes += LOAD_RELAXED(heap->used_bytes);
    return bytes;
}
