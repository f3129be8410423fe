/*
 * superslab/run.h - large blocks up to 1 MiB: runs of neighbouring slabs inside a SuperSlab.
 *
 * Layer: superslab. Thread rule: any thread; each function takes the supply lock.
 *
 * A run takes whole slabs of address space and only the OS pages of its block: the pages behind the block's end stay
 * unbacked. An emptied run is free slabs again, for any class.
 */
#ifndef HAK_SUPERSLAB_RUN_H
#define HAK_SUPERSLAB_RUN_H

#include "superslab/superslab.h"

#define RUN_BYTES_MAX ((size_t)1 << 20)

/* `bytes` at most RUN_BYTES_MAX; the block lies on `alignment`, a power of two up to 1 MiB. `room_bytes`, at least
 * `bytes`: so much address space it gets, if there is, because the block is growing. `is_zero`: all its bytes are
 * known to be zero. NULL: no memory. */
Slab *run_take(size_t bytes, size_t room_bytes, size_t alignment, bool *is_zero);

/* False: no run begins at `block`, the start of slab `first`, any more; another thread freed it a moment ago. */
bool run_return(Slab *first, const void *block);
void run_return_purged(Slab *first); /* its OS pages go to the OS first */

/* Grows or shrinks where it lies; a shrunk run gives its OS pages back to the supply. False: no room behind it. */
bool run_resize(Slab *first, size_t bytes);

#endif
