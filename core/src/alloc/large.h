/*
 * alloc/large.h - blocks above the largest size class: runs of slabs up to RUN_BYTES_MAX, mappings of their own beyond.
 *
 * Layer: alloc. Thread rule: any thread, no lock held by the caller.
 */
#ifndef HAK_ALLOC_LARGE_H
#define HAK_ALLOC_LARGE_H

#include "base/types.h"

/* `alignment` is a power of two. Returns NULL, errno ENOMEM: no memory. */
void *large_malloc(size_t size_bytes, size_t alignment);

/* Behind the first `*dirty_bytes`, which may be more than the block has, all bytes are zero. */
void *large_malloc_for_zeros(size_t size_bytes, size_t *dirty_bytes);

/* For a block that outgrew its place and may grow on: is put where there is room behind it. */
void *large_malloc_growing(size_t size_bytes);

/* For an address whose slab class is SLAB_CLASS_LARGE or SLAB_CLASS_LARGE_INNER. One that is not the start of a live
 * block is reported as misuse by large_free; large_usable_bytes returns 0 for it. */
void large_free(void *block);
size_t large_usable_bytes(const void *block);

/* Frees the former place of a block that was copied to a larger one. Blocks that grow by turns leave holes that fit
 * none of them. So where free memory, but for free mappings and the tails of live ones, is above the idle bound, its OS
 * pages go to the OS at once. */
void large_free_outgrown(void *block);

/* Frees the block and gives its OS pages back at once. */
void large_free_purged(void *block);

/* The metadata of the block's first slab; NULL: no large block starts there. */
Slab *large_first_slab(const void *block);

/* Resizes without copying; returns where the block lies then. NULL: not possible, or the block is in a private heap's
 * list; nothing changed. */
void *large_resize(void *block, size_t size_bytes);

#endif
