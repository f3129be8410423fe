/*
 * retention/idle_slabs.c - slabs with free blocks of threads that make no requests go to the shared heap.
 *
 * Layer: retention. Thread rule: any thread, no lock held.
 */
#include "retention/idle_slabs.h"

#include "heap/heap_all.h"
#include "heap/heap_slabs.h"

static void share_if_idle(Heap *heap, uint32_t now_ms) {
    enum { IDLE_MS = 10, SLABS_MAX = 512 }; /* what a malloc of another thread spends on it: some 20 us */
    lock_acquire(&heap->lock);
    uint64_t requests = LOAD_RELAXED(heap->requests.mallocs) + LOAD_RELAXED(heap->requests.frees);
    if (heap->kind != HEAP_THREAD) {
        /* pooled, private, or the shared one */
    } else if (heap->retention.share_seen != requests) {
        heap->retention.share_seen = requests;
        heap->retention.share_since_ms = now_ms;
        heap->retention.share_used_bytes = -1;
    } else if (os_has_aged(now_ms, heap->retention.share_since_ms, IDLE_MS) &&
               heap->retention.share_used_bytes != LOAD_RELAXED(heap->used_bytes)) {
        lock_acquire(&heap_shared.lock);
        bool are_all_shared = heap_slabs_share(heap, SLABS_MAX);
        lock_release(&heap_shared.lock);
        heap->retention.share_used_bytes = are_all_shared ? LOAD_RELAXED(heap->used_bytes) : -1;
    }
    lock_release(&heap->lock);
}

void heap_share_idle(const Heap *own) {
    enum { VISITS = 4 };
    static Heap *_Atomic cursor; /* a race over it skips or repeats a visit */
    if (LOAD_RELAXED(heap_thread_count) < 2) return;
    uint32_t now_ms = (uint32_t)os_now_ms();
    Heap *heap = atomic_load_explicit(&cursor, memory_order_acquire);
    for (unsigned visits = 0; visits < VISITS; visits++) {
        if (heap == NULL) heap = atomic_load_explicit(&heap_list, memory_order_acquire);
        if (heap != own && heap != &heap_shared) share_if_idle(heap, now_ms);
        heap = heap->next;
    }
    atomic_store_explicit(&cursor, heap, memory_order_release);
}
