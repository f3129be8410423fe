/*
 * cache/reclaim.h - takes the cached blocks of other threads that are outside the allocator.
 *
 * Layer: cache. Thread rule: any thread, no lock held.
 */
#ifndef HAK_CACHE_RECLAIM_H
#define HAK_CACHE_RECLAIM_H

#include "heap/heap.h"

/* Flushes the caches of all other threads that are outside the allocator; with `idle_only`, of those that made no
 * request since the last call. */
void reclaim_others(bool idle_only);

#endif
