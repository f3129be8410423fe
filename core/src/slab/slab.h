/*
 * slab/slab.h - one slab: hands blocks out of its bitmap and takes them back, OS page by OS page.
 *
 * Layer: slab. Does not know lists, magazines or locks. Thread rule: the caller holds the lock of the slab's owner.
 *
 * Blocks are never read or written here: what is free is a bit in the header, so that a purge loses nothing, a double
 * free shows, and a forked child that frees dirties no block.
 */
#ifndef HAK_SLAB_SLAB_H
#define HAK_SLAB_SLAB_H

#include "superslab/size_class.h"
#include "superslab/superslab.h"

/* A slab fresh from the supply: all blocks free. */
void slab_initialize(Slab *slab);

/* Takes up to `want` free blocks and writes them below `end`, the first one taken at end[-1], so that a magazine pops
 * them in the order taken: partly used OS pages first, then free backed ones, then unbacked ones; ascending in each.
 * Returns how many. */
unsigned slab_take_blocks(Slab *slab, void **end, unsigned want);

/* Takes blocks back: the first of `blocks`, which lies in this slab, and those right behind it that do so too.
 * `dealt_with` is how many these were. One that is not live is reported as misuse and left alone. Returns how many were
 * taken. */
unsigned slab_return_blocks(Slab *slab, void *const *blocks, unsigned count, unsigned *dealt_with);

/* Backed OS pages that no used block touches. */
HAK_INLINE OsPageSet slab_backed_free_pages(const Slab *slab) {
    return (OsPageSet)(slab->free_pages & ~slab->unbacked_pages);
}

/* Where in the header of a SuperSlab the bitmaps of a class's slabs lie: that of slab i at `offset` + i * `stride`. */
typedef struct SlabRows {
    size_t offset, stride;
} SlabRows;

HAK_INLINE SlabRows slab_rows_of(const SizeClass *size_class) {
    SlabRows few = {offsetof(SuperSlab, large_block_bits), sizeof((SuperSlab *)NULL)->large_block_bits[0]};
    SlabRows middle = {offsetof(SuperSlab, medium_block_bits), sizeof((SuperSlab *)NULL)->medium_block_bits[0]};
    SlabRows many = {offsetof(SuperSlab, small_block_bits), sizeof((SuperSlab *)NULL)->small_block_bits[0]};
    unsigned blocks = size_class->blocks_per_slab;
    return blocks <= LARGE_BLOCK_ROW_BLOCKS ? few : blocks <= MEDIUM_BLOCK_ROW_BLOCKS ? middle : many;
}

/* Does not read the slab's metadata. */
HAK_INLINE uint64_t *slab_free_bits_in(SuperSlab *superslab, unsigned slab_index, SlabRows rows) {
    return (uint64_t *)((char *)superslab + rows.offset + slab_index * rows.stride);
}

HAK_INLINE uint64_t *slab_free_bits(Slab *slab) {
    return slab_free_bits_in(superslab_of_slab(slab), slab->slab_index, slab_rows_of(&size_classes[slab->class_index]));
}

/* Are the bits first .. end - 1 all set? first < end */
HAK_INLINE bool bits_are_all_set(const uint64_t *bits, unsigned first, unsigned end) {
    unsigned word = first / 64, last_word = (end - 1) / 64;
    uint64_t below = ((uint64_t)1 << (first % 64)) - 1, above = UINT64_MAX << ((end - 1) % 64) << 1;
    uint64_t set = bits[word] | below;
    for (; word < last_word; set = bits[++word])
        if (set != UINT64_MAX) return false;
    return (set | above) == UINT64_MAX;
}

/* Recomputes the OS pages that no used block touches, from the bitmap alone; for checks. */
OsPageSet slab_free_pages_from_bits(Slab *slab);

#endif
