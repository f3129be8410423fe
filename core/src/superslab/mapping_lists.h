/*
 * superslab/mapping_lists.h - the mappings' list of slack, and their share of the supply's queues and sums.
 *
 * Layer: superslab, private to the files of mappings. Does not decide which mapping serves. Thread rule: all under the
 * supply lock. A mapping that is not counted is its caller's alone.
 */
#ifndef HAK_SUPERSLAB_MAPPING_LISTS_H
#define HAK_SUPERSLAB_MAPPING_LISTS_H

#include "superslab/superslab.h"
#include "superslab/supply.h"

/* Backed bytes without a live block: of a free mapping all, else the tail behind the block. */
HAK_INLINE size_t mapping_free_bytes_of(const SuperSlab *mapping) {
    return mapping->backed_bytes - (mapping->is_free ? 0 : mapping->block_bytes);
}

/* What a cut leaves of a mapping (mapping_cut_all). */
HAK_INLINE size_t mapping_cut_bytes_of(const SuperSlab *mapping) {
    return round_up_bytes(mapping->block_bytes, SLAB_BYTES);
}

/* Sets the block, live or not, and adds the mapping to the sums, the lists and the registry. */
void mapping_count(SuperSlab *mapping, size_t block_bytes, bool is_live);

/* Takes the mapping out of the sums, before its block changes or it is unmapped; it stays in the queue. */
void mapping_uncount(SuperSlab *mapping);

#endif
