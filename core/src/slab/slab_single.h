/*
 * slab/slab_single.h - the common case of a lone block that returns to its slab, inlined into the flush.
 *
 * Layer: slab. Does not free OS pages, empty slabs or report misuse: it declines these, and slab.c does them.
 * Thread rule: the caller holds the lock of the slab's owner.
 */
#ifndef HAK_SLAB_SLAB_SINGLE_H
#define HAK_SLAB_SLAB_SINGLE_H

#include "slab/slab.h"

/* True: the block is free now, and nothing else changed but used_blocks and available_pages. False: nothing was done.
 * A used neighbour in the same OS page shows that this page stays in use, which is all there is to decide. */
HAK_INLINE bool slab_return_single(TinySlabMeta *meta, const SizeClass *size_class, const void *pointer) {
    size_t offset = (uintptr_t)pointer % SLAB_BYTES;
    unsigned block = size_class_block_index(size_class, offset);
    if (HAK_UNLIKELY(block >= size_class->blocks_per_slab)) return false;
    uint64_t *bits = slab_free_bits(meta) + block / 64;
    uint64_t word = *bits, bit = (uint64_t)1 << (block % 64);
    size_t page = offset >> os_page_shift;
    size_t last_page = (offset + size_class->block_bytes - 1) >> os_page_shift;
    /* No branch but one: which neighbour is used is as good as random where it matters. */
    unsigned is_start = (unsigned)(block * (size_t)size_class->block_bytes == offset);
    unsigned is_used = (unsigned)((word & bit) == 0);
    unsigned lower_is_used = (unsigned)((~word & bit >> 1) != 0) & (unsigned)(block > size_class->first_touching[page]);
    unsigned upper_is_used =
        (unsigned)((~word & bit << 1) != 0) & (unsigned)(block + 1u < size_class->first_starting[page + 1]);
    unsigned is_simple = is_start & is_used & (unsigned)(page == last_page) & (lower_is_used | upper_is_used);
    if (HAK_UNLIKELY(is_simple == 0)) return false;
    *bits = word | bit;
    meta->available_pages |= (OsPageSet)(1u << page);
    meta->used_blocks--;
    return true;
}

#endif
