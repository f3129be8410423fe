/*
 * superslab/run_cache.h - returned runs that stay as they are, for the next block of as many slabs.
 *
 * Layer: superslab, private to it. Thread rule: everything under the supply lock.
 *
 * Whatever looks for free slabs, counts or walks through SuperSlabs, or begins a purge flushes the cache before, which
 * makes free slabs of the runs. So a cached run keeps no slab from another block.
 */
#ifndef HAK_SUPERSLAB_RUN_CACHE_H
#define HAK_SUPERSLAB_RUN_CACHE_H

#include "superslab/superslab.h"

/* The newest cached run of `slabs` slabs at a multiple of `alignment`. NULL: there is none. */
Slab *run_cache_take(unsigned slabs, size_t alignment);

/* A run without a block, which the supply does not count among the large blocks any more. False: its SuperSlab is to
 * die, because another one is spare already; nothing was done. */
bool run_cache_put(Slab *first);

/* A SuperSlab that dies is spare then. */
void run_cache_flush(void);

#endif
