/*
 * retention/idle_slabs.h - slabs with free blocks of threads that make no requests go to the shared heap.
 *
 * Layer: retention. Thread rule: any thread, no lock held.
 */
#ifndef HAK_RETENTION_IDLE_SLABS_H
#define HAK_RETENTION_IDLE_SLABS_H

#include "heap/heap.h"

/* Hands slabs with free blocks of threads that make no requests to the shared heap, a few threads at a time: else what a
 * blocked thread's survivors leave free between them would serve nobody. `own` is growing; no lock is held. */
void heap_share_idle(const Heap *own);

#endif
