/*
 * api/block.h - looks up a block by its address, for the entry points.
 *
 * Layer: api. Thread rule: for a block that the caller holds.
 */
#ifndef HAK_API_BLOCK_H
#define HAK_API_BLOCK_H

#include "alloc/large.h"
#include "heap/owner_lock.h"
#include "slab/slab_guard.h"
#include "superslab/registry.h"
#include "superslab/size_class.h"

/* Usable bytes of a live block. 0 for a foreign address, in a free slab, and where no large block starts. */
HAK_INLINE size_t block_usable_bytes(const void *block) {
    unsigned slab_class = registry_slab_class(block);
    if (HAK_LIKELY(slab_class - 1u < SIZE_CLASS_COUNT)) return size_class_usable_bytes[slab_class];
    return slab_class == SLAB_CLASS_LARGE ? large_usable_bytes(block) : 0;
}

/* True: the request fits and wastes at most a quarter of the block, so realloc leaves the block where it is. */
HAK_INLINE bool block_fits_in_place(size_t usable_bytes, size_t size_bytes) {
    return size_bytes <= usable_bytes && size_bytes * 4 >= usable_bytes * 3;
}

/* True: a small block that was freed. Found with the option `debug` at 2 only, where no block is ever cached. (A
 * freed large block has 0 usable bytes.) */
HAK_INLINE bool block_was_freed(const void *block) {
    bool is_checked = slab_is_guarded() && registry_slab_class(block) - 1u < SIZE_CLASS_COUNT;
    return is_checked && !heap_block_is_used(NULL, block);
}

/* Report the free of an address of hakmem's with 0 usable bytes: it lies in a free slab, or inside a large block. */
void block_report_dead(const void *block);

/* Report misuse; return NULL, with errno ENOMEM. The first one for any address with 0 usable bytes, the second for a
 * small block that was freed. */
void *block_report_dead_realloc(const void *block);
void *block_report_freed_realloc(const void *block);

/* Slow path of malloc: the thread has no heap yet, its magazine is empty or closed, or no size class is large
 * enough. */
void *malloc_slow(size_t size_bytes, SizeClassAlignment alignment);

#endif
