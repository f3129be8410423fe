/*
 * retention/idle_slabs.c - hands slabs with free blocks of idle threads to the shared heap.
 *
 * Layer: retention. Their cached blocks are for cache/reclaim.c. Thread rule: see idle_slabs.h.
 */
#include "retention/idle_slabs.h"

#include "heap/heap_all.h"
#include "heap/heap_slabs.h"

static void share_if_idle(Heap *heap, uint32_t now_ms) {
    enum { IDLE_MS = 10, SLABS_MAX = 512 }; /* SLABS_MAX: a malloc of another thread pays for it, some 20 us */
    lock_acquire(&heap->lock);
    uint64_t requests = LOAD_RELAXED(heap->requests.mallocs) + LOAD_RELAXED(heap->requests.frees);
    if (heap->kind != HEAP_THREAD) {
        /* a pooled, private or shared heap has no idle thread */
    } else if (heap->retention.idle_seen_requests != requests) {
        heap->retention.idle_seen_requests = requests;
        heap->retention.idle_since_ms = now_ms;
        heap->retention.idle_shared_used_bytes = -1;
    } else if (os_has_aged(now_ms, heap->retention.idle_since_ms, IDLE_MS) &&
               heap->retention.idle_shared_used_bytes != LOAD_RELAXED(heap->used_bytes)) {
        lock_acquire(&heap_shared.lock);
        bool are_all_shared = heap_slabs_share(heap, SLABS_MAX);
        lock_release(&heap_shared.lock);
        heap->retention.idle_shared_used_bytes = are_all_shared ? LOAD_RELAXED(heap->used_bytes) : -1;
    }
    lock_release(&heap->lock);
}

void idle_slabs_share(const Heap *own) {
    enum { VISITS = 4 };
    static Heap *_Atomic cursor; /* NULL: begin anew; threads that race over it skip or repeat a visit */
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
