/*
 * superslab/mapping.h - large blocks above 1 MiB: mappings of their own.
 *
 * Layer: superslab. Thread rule: any thread; the supply lock is not held while the kernel works, except on pieces of tails.
 *
 * A mapping takes a multiple of 2 MiB of address space, 2 MiB-aligned, and the OS pages of its block and of the tail that a
 * longer block left behind its end. Freed ones, and tails, are kept a while, within the retain bound, because mapping and
 * faulting a megabyte anew costs a hundred microseconds.
 */
#ifndef HAK_SUPERSLAB_MAPPING_H
#define HAK_SUPERSLAB_MAPPING_H

#include "superslab/superslab.h"

/* Its block is at `base`. `is_zero`: all its bytes are known to be zero. NULL: no memory. */
SuperSlab *mapping_take(size_t bytes, bool *is_zero);

/* False: `block` does not live in it any more; another thread freed it a moment ago. */
bool mapping_return(SuperSlab *mapping, const void *block);

/* Grows or shrinks it, moving its OS pages to another address where it must. NULL: no memory, or the kernel does not move them;
 * nothing changed. */
SuperSlab *mapping_resize(SuperSlab *mapping, size_t bytes);

/* Releases cached mappings, and purges tails, as superslab_purge does free slabs. */
size_t mapping_purge(uint32_t age_ms, int64_t target_bytes, size_t bytes_max);

#endif
