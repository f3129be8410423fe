/*
 * alloc/large.h - blocks above the largest size class: runs of slabs up to 1 MiB, mappings of their own beyond.
 *
 * Layer: alloc. Thread rule: any thread, no lock held by the caller.
 */
#ifndef HAK_ALLOC_LARGE_H
#define HAK_ALLOC_LARGE_H

#include "base/types.h"

/* `alignment` is a power of two of at most 1 MiB; `is_zero`, unless NULL, is set when all bytes are known to be zero.
 * NULL, errno ENOMEM: no memory. */
void *large_malloc(size_t size_bytes, size_t alignment, bool *is_zero);

/* large_malloc for a block that outgrew its place and may grow on: where there is room behind it. */
void *large_malloc_growing(size_t size_bytes);

/* These take an address in whose slab the class is SLAB_CLASS_LARGE or SLAB_CLASS_LARGE_INNER; large_free reports
 * anything but the start of a live block as misuse, large_usable_bytes gives 0 for it. */
void large_free(void *block);
size_t large_usable_bytes(const void *block);

/* Frees what was copied to a larger place. Many blocks that grow by turns leave holes that none of them fits: beyond the
 * retain bound these go to the OS at once. */
void large_free_outgrown(void *block);

/* Its OS pages go to the OS at once. */
void large_free_purged(void *block);

/* The metadata that stands for the block; NULL: no large block starts there. */
Slab *large_first_slab(const void *block);

/* Resizes without copying; the block may lie elsewhere afterwards. NULL: not possible, or in a private heap's list; nothing
 * changed. */
void *large_resize(void *block, size_t size_bytes);

#endif
