/*
 * slab/slab_single.h - the common case of a lone block that returns to its slab, inlined into the flush.
 *
 * Layer: slab. Does not free OS pages, empty slabs or report misuse: it declines these, and slab.c does them.
 * Thread rule: the caller holds the lock of the slab's owner.
 */
#ifndef HAK_SLAB_SLAB_SINGLE_H
#define HAK_SLAB_SLAB_SINGLE_H

#include "slab/slab.h"

/* Would a used block be left in one of the OS pages first_page .. last_page, each for itself? */
static inline bool pages_stay_in_use(const uint64_t *bits, const SizeClass *size_class, size_t first_page,
                                     size_t last_page) {
    for (size_t page = first_page; page <= last_page; page++)
        if (bits_are_all_set(bits, size_class->first_touching[page], size_class->first_starting[page + 1])) return false;
    return true;
}

/* `bits` are the slab's. True: the block is free now, and nothing else changed but used_blocks and available_pages.
 * False: nothing was done. */
HAK_INLINE bool slab_return_single(TinySlabMeta *meta, uint64_t *bits, const SizeClass *size_class, const void *pointer) {
    size_t offset = (uintptr_t)pointer % SLAB_BYTES;
    unsigned block = size_class_block_index(size_class, offset);
    if (HAK_UNLIKELY(block >= size_class->blocks_per_slab)) return false;
    uint64_t *place = bits + block / 64;
    uint64_t word = *place, bit = (uint64_t)1 << (block % 64);
    size_t page = offset >> os_page_shift;
    size_t last_page = (offset + size_class->block_bytes - 1) >> os_page_shift;
    bool is_start = block * (size_t)size_class->block_bytes == offset;
    if (HAK_UNLIKELY(!is_start | ((word & bit) != 0))) return false;
    /* A used neighbour in the same OS page shows that it stays in use. Without branches: which of the two is used is as
     * good as random where it matters. */
    unsigned lower_is_used = (unsigned)((~word & bit >> 1) != 0) & (unsigned)(block > size_class->first_touching[page]);
    unsigned upper_is_used =
        (unsigned)((~word & bit << 1) != 0) & (unsigned)(block + 1u < size_class->first_starting[page + 1]);
    *place = word | bit;
    if (((unsigned)(page == last_page) & (lower_is_used | upper_is_used)) == 0 &&
        !pages_stay_in_use(bits, size_class, page, last_page)) {
        *place = word;
        return false;
    }
    meta->available_pages |= (OsPageSet)(1u << page);
    meta->used_blocks--;
    return true;
}

#endif
