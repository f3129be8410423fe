/*
 * slab/slab_single.h - returns one block to its slab in the common case; inlined into the flush.
 *
 * Layer: slab. Declines the cases that free an OS page, empty a slab or are misuse; slab.c handles them. Thread
 * rule: slab_single_find needs no lock and reads nothing of the slab, so a flush calls it for some blocks ahead and
 * the processor prefetches their metadata; slab_single_return needs the lock of the slab's owner.
 */
#ifndef HAK_SLAB_SLAB_SINGLE_H
#define HAK_SLAB_SLAB_SINGLE_H

#include "slab/slab.h"

/* A block's place in the metadata of its slab. */
typedef struct SlabSingle {
    Slab *slab;       /* NULL: not the start of a block */
    uint64_t *word;   /* the word of the slab's bitmap with the block's bit */
    uint64_t bit;     /* in `word`: the block's */
    uint64_t in_page; /* in `word`: all blocks in the block's OS page; 0: the block touches two or more */
    OsPageSet page;   /* the OS page in which it starts */
} SlabSingle;

/* Only one branch, for misuse: scattered blocks are random, so a branch on their position would be mispredicted. */
HAK_INLINE SlabSingle slab_single_find(SuperSlab *superslab, unsigned slab_index, SlabRows rows,
                                       const SizeClass *size_class, const void *pointer) {
    size_t offset_in_slab = (uintptr_t)pointer % SLAB_BYTES, block_bytes = size_class->block_bytes;
    size_t offset = size_class_offset(size_class, offset_in_slab);
    unsigned block = size_class_block_index(size_class, offset);
    size_t page = offset_in_slab >> os_page_shift, last_page = (offset_in_slab + block_bytes - 1) >> os_page_shift;
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

/* With the block's bit set: does a used block touch each OS page that the block touches? */
static HAK_NOINLINE bool slab_single_pages_stay_in_use(const SlabSingle *single, const SizeClass *size_class) {
    const uint64_t *bits = slab_free_bits(single->slab);
    size_t block = (size_t)(single->word - bits) * 64 + lowest_bit_index(single->bit);
    size_t first_byte = size_class->first_block_offset + block * size_class->block_bytes;
    size_t last_byte = first_byte + size_class->block_bytes - 1;
    for (size_t page = first_byte >> os_page_shift; page <= last_byte >> os_page_shift; page++)
        if (bits_are_all_set(bits, size_class->first_touching[page], size_class->first_starting[page + 1]))
            return false;
    return true;
}

/* True: the block is free; besides its bit only used_blocks and available_pages changed. False: nothing was done,
 * because the block was free already or an OS page would become free. */
HAK_INLINE bool slab_single_return(const SlabSingle *single, const SizeClass *size_class) {
    Slab *slab = single->slab;
    uint64_t free_before = *single->word;
    if (HAK_UNLIKELY((free_before & single->bit) != 0)) return false;
    uint64_t free_after = free_before | single->bit;
    *single->word = free_after;
    /* Mostly another used block in the same word shows that the OS page stays in use. */
    if (HAK_UNLIKELY((~free_after & single->in_page) == 0) && !slab_single_pages_stay_in_use(single, size_class)) {
        *single->word = free_before;
        return false;
    }
    slab->available_pages |= single->page;
    slab->used_blocks--;
    return true;
}

#endif
