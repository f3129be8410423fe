/*
 * superslab/run.h - large blocks up to 1 MiB: runs of neighbouring slabs inside a SuperSlab.
 *
 * Layer: superslab. Thread rule: any thread; each function takes the supply lock.
 *
 * A run takes whole slabs of address space, but only the OS pages of its block: those behind the block's end, its
 * tail, are free. A returned run is cached for the next block of as many slabs (run_cache.h), and then free slabs
 * again, for any class.
 */
#ifndef HAK_SUPERSLAB_RUN_H
#define HAK_SUPERSLAB_RUN_H

#include "superslab/superslab.h"

#define RUN_BYTES_MAX ((size_t)1 << 20)

/* A run for a block of `bytes`, 1 to RUN_BYTES_MAX, at its start. `alignment`: a power of two up to 1 MiB.
 * `room_bytes`, from `bytes` to RUN_BYTES_MAX: address space for a block that grows, if the supply has it. Sets
 * `is_zero`: whether all bytes of the block are known to be zero. Returns the first slab; NULL: no memory. */
Slab *run_take(size_t bytes, size_t room_bytes, size_t alignment, bool *is_zero);

/* `block` is the address of slab `first`. False: no live run starts there any more, because another thread has
 * freed it. */
bool run_return(Slab *first, const void *block);

/* Gives the OS pages of a live run to the OS, then returns it. False as of run_return. */
bool run_return_purged(Slab *first, const void *block);

/* Grows or shrinks a live run in place, to a block of `bytes`, 1 to RUN_BYTES_MAX. The slabs behind a block that
 * shrank go back to the supply. False: the slabs behind the run are not free. */
bool run_resize(Slab *first, size_t bytes);

#endif
