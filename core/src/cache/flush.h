/*
 * cache/flush.h - all blocks of all magazines of a heap go back to their slabs. A magazine that is full: alloc/free.c.
 *
 * Layer: cache. Thread rule: for the heap's owner; no lock is held while blocks go to their slabs.
 */
#ifndef HAK_CACHE_FLUSH_H
#define HAK_CACHE_FLUSH_H

#include "heap/heap.h"

/* Returns all blocks of all magazines. Between owner_enter and owner_leave. */
void flush_all(Heap *heap);

/* The same with both around it. */
void flush_own(Heap *heap);

#endif
