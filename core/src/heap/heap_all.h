/*
 * heap/heap_all.h - all heaps of the process: their list, the shared one, the sums over them.
 *
 * Layer: heap. Does not make or end heaps (lifecycle/). Thread rule: said at each name; sums are exact while other threads
 * rest.
 */
#ifndef HAK_HEAP_HEAP_ALL_H
#define HAK_HEAP_HEAP_ALL_H

#include "heap/heap.h"

extern Lock heap_list_lock;
extern Heap *_Atomic heap_list;
extern Heap heap_none;
extern Heap heap_shared;
extern _Atomic int64_t heap_retired_live; /* mallocs - frees of pooled heaps */
extern _Atomic uint64_t heap_retired_mallocs;
extern _Atomic uint64_t heap_large_mallocs; /* requests that no heap counts */
extern _Atomic uint32_t heap_thread_count; /* heaps that serve a thread */
extern _Atomic uint32_t heap_count;        /* in heap_list */
extern _Atomic uint32_t heap_superslabs_born_count; /* for slabs of heaps, not for runs */

/* Adds a new heap. Under heap_list_lock, or at the start. */
void heap_list_add(Heap *heap);

/* The locks of the list and of every heap, for figures and checks of one moment. Slow paths wait. */
void heap_lock_all(void);
void heap_unlock_all(void);

/* live blocks = sum of (mallocs - rebased - frees), plus heap_retired_live (I12). */
uint64_t heap_live_blocks(void);

/* Sum of used_bytes (I13): live and cached blocks, without large ones. */
int64_t heap_used_bytes_all(void);

/* Adds to a debug counter when the option `counters` is set. */
void heap_count_if_on(Heap *heap, HeapCounter counter, uint64_t amount);

#endif
