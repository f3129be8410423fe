/*
 * lifecycle/pool.h - heaps are never unmapped: one whose thread or host has ended waits here for the next.
 *
 * Layer: lifecycle. Thread rule: any thread, no lock held, but where it is said.
 */
#ifndef HAK_LIFECYCLE_POOL_H
#define HAK_LIFECYCLE_POOL_H

#include "heap/heap.h"

/* Takes the heap's lock at a moment when the kernel works on none of its slabs. */
void heap_lock_at_rest(Heap *heap);

/* A heap from the pool or a new one, and back. */
Heap *heap_take(HeapKind kind);
void heap_pool(Heap *heap);

/* Its requests are added to those of retired heaps, and it serves nobody any more. Returns its live blocks. Under the heap
 * lock. */
uint64_t heap_retire(Heap *heap);

#endif
