/*
 * lifecycle/thread.h - the heap of a thread, from its first block to its end.
 *
 * Layer: lifecycle. Thread rule: said at each function.
 */
#ifndef HAK_LIFECYCLE_THREAD_H
#define HAK_LIFECYCLE_THREAD_H

#include "heap/heap.h"

/* Gives the calling thread a heap; the core is started (start.h). NULL: no memory, or the thread is past its end; then
 * heap_shared serves it (heap_malloc_direct). */
Heap *thread_heap_attach(void);

/* The heap's thread has ended: flushes, hands all slabs to the shared heap, pools the heap. Returns the bytes that
 * retention_report_returned is still to be told. */
int64_t thread_heap_detach(Heap *heap);

/* The same for the calling thread, at its exit. */
void thread_heap_detach_own(void);

#endif
