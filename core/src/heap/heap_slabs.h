/*
 * heap/heap_slabs.h - which list of its heap a slab is in: by fullness for refills, by age for purges.
 *
 * Layer: heap. Does not lock. Thread rule: the caller holds the heap's lock; for a change of owner, the locks of both.
 */
#ifndef HAK_HEAP_HEAP_SLABS_H
#define HAK_HEAP_HEAP_SLABS_H

#include "heap/heap.h"

/* The list that a slab of this fullness belongs into. */
HAK_INLINE unsigned heap_fullness_list(const Slab *slab, const SizeClass *size_class) {
    if (slab->used_blocks == size_class->blocks_per_slab) return SLAB_LIST_FULL;
    return (unsigned)(slab->used_blocks * size_class->block_bytes / (SLAB_BYTES / SLAB_LIST_BINS));
}

/* The slab belongs into a list of less full ones than its own. True for a slab in no list, too (SLAB_LIST_NONE is
 * highest). */
HAK_INLINE bool heap_slab_is_below_list(const Slab *slab, const SizeClass *size_class) {
    return slab->used_blocks * size_class->block_bytes < slab->list * (SLAB_BYTES / SLAB_LIST_BINS);
}

/* ---- Lists by fullness (I5) ---- */

void heap_slab_insert(Heap *heap, Slab *slab); /* into the list of its fullness */
void heap_slab_remove(Heap *heap, Slab *slab); /* out of its list, or out of the TLS slab's place */
void heap_slab_move(Heap *heap, Slab *slab);   /* into another list, if its fullness asks for one */

/* ---- The purge queue (I14) ---- */

/* Puts the slab into the queue, or takes it out, as its backed free OS pages ask for. */
void heap_slab_queue_update(Heap *heap, Slab *slab);

/* A purge detaches the slab from all lists, so that nobody is handed a block of it, and afterwards puts it back: into
 * its lists; to the supply if it is empty; to the shared heap if its thread has ended. `refused`: OS pages that the
 * kernel did not take. Returns the bytes given back. */
void heap_slab_to_purging(Heap *heap, Slab *slab);
size_t heap_slab_from_purging(Heap *heap, Slab *slab, OsPageSet refused);

/* Bytes given back of slabs in use, ever. Any thread, no lock. superslab_purged_bytes has those of the supply. */
uint64_t heap_slabs_purged_bytes(void);

/* ---- Owners ---- */

/* The slab's last used block came back: it goes to the supply. */
void heap_slab_became_empty(Heap *heap, Slab *slab);

/* The slab is `to`'s, in none of its lists by fullness. */
void heap_slab_change_owner(Heap *to, Heap *from, Slab *slab);

/* Hands all slabs over. */
void heap_slabs_adopt(Heap *to, Heap *from);

/* Hands the TLS slabs and those with free blocks to the shared heap, `slabs_max` at most. False: there are more. */
bool heap_slabs_share(Heap *from, unsigned slabs_max);

/* Detaches all slabs; returns them chained by `next`. */
Slab *heap_slabs_take_all(Heap *heap);

#endif
