/*
 * superslab/mapping_reuse.h - which free mapping serves a block, cuts it in two, and joins it to a block that grows.
 *
 * Layer: superslab, private to the files of mappings. Makes no system call. Thread rule: all under the supply lock.
 *
 * Only pieces of one kernel mapping are joined, because the kernel moves a block as a whole only if it lies in one. Its
 * pieces have the same `origin`.
 */
#ifndef HAK_SUPERSLAB_MAPPING_REUSE_H
#define HAK_SUPERSLAB_MAPPING_REUSE_H

#include "superslab/superslab.h"

/* The free mapping that serves a block of `bytes` best: the one with the fewest backed bytes that suffice or, if none
 * does or `is_growing`, the one with the most. It may be too short, if `alignment` is SUPERSLAB_BYTES: then it is worth
 * being extended. NULL: none among the newest. */
SuperSlab *mapping_find_free(size_t bytes, size_t alignment, bool is_growing);

/* Cuts the first bytes off a free mapping, which keeps its age. `front` is a new mapping with their address and length,
 * a multiple of SUPERSLAB_BYTES and less than is backed; it is registered here, and not counted. */
void mapping_take_front(SuperSlab *mapping, SuperSlab *front);

/* Makes a mapping that is not counted longer, up to a block of `bytes`, as far as free mappings of the same origin lie
 * behind it. Where the last OS pages of the mapping are not backed, only if the next free mapping suffices: then those
 * are inside of the block, which touches them. Else they would count as backed and free. */
void mapping_absorb(SuperSlab *mapping, size_t bytes);

#endif
