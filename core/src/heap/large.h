/*
 * heap/large.h - blocks above the largest size class: mappings of their own.
 *
 * Layer: heap. Does not cache or cut. Thread rule: any thread; takes the supply lock.
 */
#ifndef HAK_HEAP_LARGE_H
#define HAK_HEAP_LARGE_H

#include "base/base.h"

/* `alignment` is a power of two of at most 2 MiB. NULL, errno ENOMEM: no memory. */
void *large_malloc(size_t size_bytes, size_t alignment);

/* These take the address of a block, in whose first slab the class is SLAB_CLASS_LARGE; anything but the start of a
 * live block is reported as misuse. */
void large_free(void *block);
size_t large_usable_bytes(const void *block);

#endif
