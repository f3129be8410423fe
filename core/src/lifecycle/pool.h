/*
 * lifecycle/pool.h - heaps are never unmapped: one whose thread or host has ended waits here for the next.
 *
 * Layer: lifecycle. Thread rule: any thread, no lock held, but where it is said.
 */
#ifndef HAK_LIFECYCLE_POOL_H
#define HAK_LIFECYCLE_POOL_H

#include "heap/heap.h"

/* A heap from the pool, or a new one. NULL: no memory. Counts a heap for a thread under the heap lock: a fork finds
 * both its kind and the count changed, or neither. */
Heap *pool_take(HeapKind kind);

/* The heap serves nobody from now on: adds its requests to those of retired heaps. Returns its live blocks. Under the
 * heap lock. */
uint64_t pool_retire(Heap *heap);

/* A retired heap goes into the pool. Beyond a few, its arrays go back to the OS. */
void pool_put(Heap *heap);

/* For a forked child: each heap that serves nobody is in the pool, also one that another thread was taking out of it or
 * putting into it. */
void pool_gather(void);

/* Takes the heap's lock, after `outer` unless that is NULL, when no slab of it is detached: waits until the kernel has
 * done, without the locks. */
void pool_lock_at_rest(Heap *heap, Lock *outer);

#endif
