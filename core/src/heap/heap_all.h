/*
 * heap/heap_all.h - all heaps of the process: their list, the shared one, the sums over them.
 *
 * Layer: heap. Does not make or end heaps (lifecycle/). Thread rule: any thread, no lock, unless a lock is named;
 * sums are exact while other threads rest.
 */
#ifndef HAK_HEAP_HEAP_ALL_H
#define HAK_HEAP_HEAP_ALL_H

#include "heap/heap.h"

extern Lock heap_list_lock;
extern Heap *_Atomic heap_list; /* all heaps ever made, none is removed; written under heap_list_lock, walked without */

/* Kind HEAP_NONE, magazines without room: a thread's heap before its first slow path and after its end. */
extern Heap heap_none;

/* Kind HEAP_SHARED: owns the slabs that ended threads left, and those that cold classes of many threads share. */
extern Heap heap_shared;

extern _Atomic uint32_t heap_count;                 /* of heap_list */
extern _Atomic uint32_t heap_thread_count;          /* heaps of kind HEAP_THREAD */
extern _Atomic int64_t heap_retired_live;           /* mallocs - frees of heaps that were retired (I12) */
extern _Atomic uint64_t heap_retired_mallocs;       /* their mallocs */
extern _Atomic uint64_t heap_large_mallocs;         /* requests for large blocks, which no heap counts */
extern _Atomic uint32_t heap_superslabs_born_count; /* births for slabs of heaps, not for runs */

/* Adds a new heap. Under heap_list_lock, or at the start. */
void heap_list_add(Heap *heap);

/* Take and release the locks of the list and of every heap: for a fork, and for figures and checks of one moment. */
void heap_lock_all(void);
void heap_unlock_all(void);

/* Live blocks but large ones: the sum of (mallocs - rebased - frees) over all heaps, plus heap_retired_live (I12). */
uint64_t heap_live_blocks(void);

/* Bytes of live and cached blocks but large ones: the sum of used_bytes over all heaps (I13). */
int64_t heap_used_bytes_all(void);

/* Adds to a debug counter if the option `counters` is 1. */
void heap_count_if_on(Heap *heap, HeapCounter counter, uint64_t amount);

#endif
