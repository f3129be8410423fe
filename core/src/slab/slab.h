/*
 * slab/slab.h - one slab: hands blocks out of its bitmap and takes them back, OS page by OS page.
 *
 * Layer: slab. Does not know lists, magazines or locks. Thread rule: the caller holds the lock of the slab's owner.
 *
 * Blocks are neither read nor written: a free block is a bit in the SuperSlab's header. So a purge loses no list of
 * free blocks, a double free is found, and a forked child that frees copies no OS page of blocks.
 */
#ifndef HAK_SLAB_SLAB_H
#define HAK_SLAB_SLAB_H

#include "superslab/size_class.h"
#include "superslab/superslab.h"

/* For a slab that superslab_slab_take gave: all blocks are free. */
void slab_initialize(Slab *slab);

/* Takes up to `want` free blocks and returns their number. Writes their addresses downwards from `end`, the first
 * at end[-1], so that a magazine pops them in the order taken: from partly used OS pages first, then from free
 * backed ones, then from unbacked ones; by rising address in each OS page. The slab is not being purged. */
unsigned slab_take_blocks(Slab *slab, void **end, unsigned want);

/* Takes back blocks[0], which lies in this slab, and the following ones up to the first that does not. Sets
 * `dealt_with` to the number of these. Reports as misuse a pointer that is no start of a used block, and leaves it
 * alone. Returns the number of blocks taken back. */
unsigned slab_return_blocks(Slab *slab, void *const *blocks, unsigned count, unsigned *dealt_with);

/* Backed OS pages that no used block touches. */
HAK_INLINE OsPageSet slab_backed_free_pages(const Slab *slab) {
    return (OsPageSet)(slab->free_pages & ~slab->unbacked_pages);
}

/* Where a class's bitmaps lie in the header of a SuperSlab: that of slab i is at `offset` + i * `stride` bytes. */
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

/* slab_free_bits without reading struct Slab. */
HAK_INLINE uint64_t *slab_free_bits_in(SuperSlab *superslab, unsigned slab_index, SlabRows rows) {
    return (uint64_t *)((char *)superslab + rows.offset + slab_index * rows.stride);
}

/* The slab's bitmap (types.h): bit i is set while block i is free. Behind blocks_per_slab its last word is 0. */
HAK_INLINE uint64_t *slab_free_bits(Slab *slab) {
    return slab_free_bits_in(superslab_of_slab(slab), slab->slab_index, slab_rows_of(&size_classes[slab->class_index]));
}

/* Are the bits first .. end - 1 all set? Requires first < end. */
HAK_INLINE bool bits_are_all_set(const uint64_t *bits, unsigned first, unsigned end) {
    unsigned word = first / 64, last_word = (end - 1) / 64;
    uint64_t below = ((uint64_t)1 << (first % 64)) - 1, above = UINT64_MAX << ((end - 1) % 64) << 1;
    uint64_t set = bits[word] | below;
    for (; word < last_word; set = bits[++word])
        if (set != UINT64_MAX) return false;
    return (set | above) == UINT64_MAX;
}

/* free_pages recomputed from the bitmap alone (I2); for checks. */
OsPageSet slab_free_pages_from_bits(Slab *slab);

#endif
