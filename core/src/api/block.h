/*
 * api/block.h - what the entry points know of a block by its address.
 *
 * Layer: api. Thread rule: for a block that the caller holds.
 */
#ifndef HAK_API_BLOCK_H
#define HAK_API_BLOCK_H

#include "heap/large.h"
#include "superslab/registry.h"
#include "superslab/size_class.h"

/* 0 for an address that no live block can start at. */
HAK_INLINE size_t block_usable_bytes(const void *block) {
    unsigned slab_class = registry_slab_class(block);
    if (HAK_LIKELY(slab_class - 1u < SIZE_CLASS_COUNT)) return size_classes[slab_class].block_bytes;
    return slab_class == SLAB_CLASS_LARGE ? large_usable_bytes(block) : 0;
}

#endif
