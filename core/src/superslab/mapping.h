/*
 * superslab/mapping.h - large blocks above 1 MiB: mappings of their own.
 *
 * Layer: superslab. Thread rule: any thread; each function takes the supply lock, and releases it while the kernel
 * maps, moves or unmaps. It is held while a piece of a live block's tail is purged, and while room is short.
 *
 * A mapping takes a multiple of 2 MiB of address space, aligned to 2 MiB. Where room is short it takes what its block
 * needs, in whole SLAB_BYTES. Its backed OS pages are those of its block and of its tail, which a longer block has left
 * behind the block's end. Free mappings and tails stay within the retain bounds, because mapping and faulting a
 * megabyte costs about 100 us. Which free mapping serves which block: mapping_reuse.h.
 */
#ifndef HAK_SUPERSLAB_MAPPING_H
#define HAK_SUPERSLAB_MAPPING_H

#include "superslab/superslab.h"

/* A mapping for a block of `bytes`, at `base`. `alignment` is a power of two; each mapping lies on SUPERSLAB_BYTES.
 * `is_growing`: longer blocks will follow, so it is put where most OS pages are free. Sets `dirty_bytes`, unless NULL:
 * behind as many all bytes of the block are zero; and makes no free mapping longer then, of which all would have to be
 * cleared. NULL: no memory, or the sum of both is near PTRDIFF_MAX. */
SuperSlab *mapping_take(size_t bytes, size_t alignment, bool is_growing, size_t *dirty_bytes);

/* False: `block` does not live in it any more, because another thread has freed it. */
bool mapping_return(SuperSlab *mapping, const void *block);

/* Grows or shrinks the block of a live mapping; moves its OS pages, without copying, to a longer mapping where it
 * has to, or extends the mapping where there is no room for both. Returns the mapping that holds the block now; its
 * `base` may have changed. NULL: nothing changed; `lacks_room` says whether for want of memory, or because the kernel
 * refused to move. */
SuperSlab *mapping_resize(SuperSlab *mapping, size_t bytes, bool *lacks_room);

/* Unmaps what lies behind the blocks of live mappings, up to a multiple of SLAB_BYTES: for when address space is short.
 * Those blocks need a system call to grow again. */
void mapping_cut_all(void);

/* Unmaps free mappings and purges tails of live blocks, oldest first. Parameters and result as of superslab_purge. */
size_t mapping_purge(uint32_t age_ms, int64_t target_bytes, size_t bytes_max);

#endif
