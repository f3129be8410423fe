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
void slab_initialize(TinySlabMeta *meta);

/* Takes up to `want` free blocks and writes them below `end`, the first one taken at end[-1], so that a magazine pops
 * them in the order taken: partly used OS pages first, then free backed ones, then unbacked ones; ascending in each.
 * Returns how many. */
unsigned slab_take_blocks(TinySlabMeta *meta, void **end, unsigned want);

/* Takes blocks back: the first of `blocks`, which lies in this slab, and those right behind it that do so too.
 * `dealt_with` is how many these were. One that is not live is reported as misuse and left alone. Returns how many were
 * taken. */
unsigned slab_return_blocks(TinySlabMeta *meta, void *const *blocks, unsigned count, unsigned *dealt_with);

/* Backed OS pages that no used block touches. */
HAK_INLINE OsPageSet slab_backed_free_pages(const TinySlabMeta *meta) {
    return (OsPageSet)(meta->free_pages & ~meta->unbacked_pages);
}

/* Does not read the slab's metadata. */
HAK_INLINE uint64_t *slab_free_bits_at(SuperSlab *superslab, unsigned slab_index, const SizeClass *size_class) {
    unsigned blocks = size_class->blocks_per_slab;
    if (blocks <= FEW_ROW_BLOCKS) return superslab->few_free_bits[slab_index];
    if (blocks <= SHORT_ROW_BLOCKS) return superslab->short_free_bits[slab_index];
    return superslab->long_free_bits[slab_index];
}

HAK_INLINE uint64_t *slab_free_bits(TinySlabMeta *meta) {
    return slab_free_bits_at(superslab_of_slab(meta), meta->slab_index, &size_classes[meta->class_index]);
}

/* Recomputes the OS pages that no used block touches, from the bitmap alone; for checks. */
OsPageSet slab_free_pages_from_bits(TinySlabMeta *meta);

#endif
