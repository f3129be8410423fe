/*
 * api/block.h - what the entry points know of a block by its address.
 *
 * Layer: api. Thread rule: for a block that the caller holds.
 */
#ifndef HAK_API_BLOCK_H
#define HAK_API_BLOCK_H

#include "heap/owner_lock.h"
#include "alloc/large.h"
#include "slab/slab_guard.h"
#include "superslab/registry.h"
#include "superslab/size_class.h"

/* 0 for an address that no live block can start at. */
HAK_INLINE size_t block_usable_bytes(const void *block) {
    unsigned slab_class = registry_slab_class(block);
    if (HAK_LIKELY(slab_class - 1u < SIZE_CLASS_COUNT)) return size_class_usable_bytes[slab_class];
    return slab_class == SLAB_CLASS_LARGE ? large_usable_bytes(block) : 0;
}

/* A realloc leaves it where it is: shrinking in place wastes at most a quarter of the block; more is worth a copy. */
HAK_INLINE bool block_fits_in_place(size_t usable_bytes, size_t size_bytes) {
    return size_bytes <= usable_bytes && size_bytes * 4 >= usable_bytes * 3;
}

/* Of a small block known only with `debug` 2, where none is ever cached; a large one has no usable bytes then. */
HAK_INLINE bool block_was_freed(const void *block) {
    return slab_is_guarded() && registry_slab_class(block) - 1u < SIZE_CLASS_COUNT && !heap_block_is_used(NULL, block);
}

/* NULL, errno ENOMEM. */
void *block_report_freed_realloc(const void *block);

/* The magazine of the thread's heap gave nothing: first use of the thread, an empty or closed magazine, or a size above
 * the tables'. */
void *malloc_slow(size_t size_bytes, SizeClassAlignment alignment);

#endif
