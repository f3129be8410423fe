/*
 * lifecycle/thread.h - the heap of a thread, from its first block to its end.
 *
 * Layer: lifecycle. Thread rule: said at each function.
 */
#ifndef HAK_LIFECYCLE_THREAD_H
#define HAK_LIFECYCLE_THREAD_H

#include "heap/heap.h"

/* The calling thread's heap, made or taken from the pool; the process is started (start.h). NULL: no memory, or the thread is
 * past its end; then heap_shared serves it (heap_malloc_direct). */
Heap *heap_attach(void);

/* Ends the heap's service for a thread that has ended: flushes, hands all slabs to the shared heap, pools it. Returns what is
 * still to be told to retention_report_returned. */
int64_t heap_detach(Heap *heap);
void heap_detach_thread(void); /* the same for the calling thread, at its exit */

#endif
