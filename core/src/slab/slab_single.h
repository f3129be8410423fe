/*
 * slab/slab_single.h - the common case of a lone block that returns to its slab, inlined into the flush.
 *
 * Layer: slab. Does not free OS pages, empty slabs or report misuse: it declines these, and slab.c does them.
 * Thread rule: finding needs no lock and reads nothing of the slab, so that it can go ahead of returning by some blocks
 * and the processor fetches what these will need; returning is for whoever holds the lock of the slab's owner.
 */
#ifndef HAK_SLAB_SLAB_SINGLE_H
#define HAK_SLAB_SLAB_SINGLE_H

#include "slab/slab.h"

/* Where a block is noted in the metadata of its slab. */
typedef struct SlabSingle {
    Slab *slab; /* NULL: not the start of a block */
    uint64_t *word;     /* of the bitmap */
    uint64_t bit;       /* in it, the block's own */
    uint64_t in_page;   /* in it, those of the blocks in its OS page; 0: it lies in more than one */
    OsPageSet page;     /* in which it starts */
} SlabSingle;

/* Without branches but the first: where this matters, blocks are as good as random. */
HAK_INLINE SlabSingle slab_single_find(SuperSlab *superslab, unsigned slab_index, SlabRows rows,
                                       const SizeClass *size_class, const void *pointer) {
    size_t offset = (uintptr_t)pointer % SLAB_BYTES, block_bytes = size_class->block_bytes;
    unsigned block = size_class_block_index(size_class, offset);
    size_t page = offset >> os_page_shift, last_page = (offset + block_bytes - 1) >> os_page_shift;
    unsigned first = size_class->first_touching[page], end = size_class->first_starting[page + 1];
    if (HAK_UNLIKELY(block * block_bytes != offset || block >= end)) return (SlabSingle){NULL, NULL, 0, 0, 0};
    Slab *slab = &superslab->slab[slab_index];
    uint64_t *word = slab_free_bits_in(superslab, slab_index, rows) + block / 64;
    __builtin_prefetch(slab, 1);
    __builtin_prefetch(word, 1);
    unsigned word_first = block & ~63u, word_end = word_first + 64;
    first = first > word_first ? first : word_first;
    end = end < word_end ? end : word_end;
    uint64_t in_page = UINT64_MAX << (first % 64) & UINT64_MAX >> ((0u - end) % 64);
    uint64_t is_in_one_page = 0 - (uint64_t)(page == last_page);
    return (SlabSingle){slab, word, (uint64_t)1 << (block % 64), in_page & is_in_one_page, (OsPageSet)(1u << page)};
}

/* A block that is free in `word`: is a used one left in each OS page of it? */
static HAK_NOINLINE bool slab_single_pages_stay_in_use(const SlabSingle *single, const SizeClass *size_class) {
    const uint64_t *bits = slab_free_bits(single->slab);
    size_t block = (size_t)(single->word - bits) * 64 + lowest_bit_index(single->bit);
    size_t first_byte = block * size_class->block_bytes, last_byte = first_byte + size_class->block_bytes - 1;
    for (size_t page = first_byte >> os_page_shift; page <= last_byte >> os_page_shift; page++)
        if (bits_are_all_set(bits, size_class->first_touching[page], size_class->first_starting[page + 1])) return false;
    return true;
}

/* True: the block is free now, and nothing else changed but used_blocks and available_pages. False: nothing was done. */
HAK_INLINE bool slab_single_return(const SlabSingle *single, const SizeClass *size_class) {
    Slab *slab = single->slab;
    uint64_t free_before = *single->word;
    if (HAK_UNLIKELY((free_before & single->bit) != 0)) return false;
    uint64_t free_after = free_before | single->bit;
    *single->word = free_after;
    /* Mostly a used one of the same word shows that the OS page stays in use. */
    if (HAK_UNLIKELY((~free_after & single->in_page) == 0) && !slab_single_pages_stay_in_use(single, size_class)) {
        *single->word = free_before;
        return false;
    }
    slab->available_pages |= single->page;
    slab->used_blocks--;
    return true;
}

#endif
