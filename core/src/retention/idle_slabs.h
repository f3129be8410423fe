/*
 * retention/idle_slabs.h - hands slabs with free blocks of idle threads to the shared heap.
 *
 * Layer: retention. Thread rule: any thread, no lock held.
 */
#ifndef HAK_RETENTION_IDLE_SLABS_H
#define HAK_RETENTION_IDLE_SLABS_H

#include "heap/heap.h"

/* `own`, the calling thread's heap, grows. A few other heaps are visited; what the survivors of an idle one leave
 * free is moved to the shared heap, where the next refill of any heap finds it. */
void idle_slabs_share(const Heap *own);

#endif
