/*
 * heap/heap_slabs.h - which list of its heap a slab is in: by fullness for refills, by age for purges.
 *
 * Layer: heap. Does not lock. Thread rule: the caller holds the heap's lock, for a change of owner both.
 */
#ifndef HAK_HEAP_HEAP_SLABS_H
#define HAK_HEAP_HEAP_SLABS_H

#include "heap/heap.h"

HAK_INLINE unsigned heap_fullness_list(const Slab *slab, const SizeClass *size_class) {
    if (slab->used_blocks == size_class->blocks_per_slab) return SLAB_LIST_FULL;
    return (unsigned)(slab->used_blocks * size_class->block_bytes / (SLAB_BYTES / SLAB_LIST_BINS));
}

/* In a list, and with fewer used blocks than those in that list have? Also true for one in no list. */
HAK_INLINE bool heap_slab_is_below_list(const Slab *slab, const SizeClass *size_class) {
    return slab->used_blocks * size_class->block_bytes < slab->list * (SLAB_BYTES / SLAB_LIST_BINS);
}

void heap_slab_insert(Heap *heap, Slab *slab);       /* into the list of its fullness */
void heap_slab_remove(Heap *heap, Slab *slab);       /* out of its list, or of the TLS place */
void heap_slab_move(Heap *heap, Slab *slab);         /* after its fullness changed */
void heap_slab_queue_update(Heap *heap, Slab *slab); /* I14 */
void heap_slab_became_empty(Heap *heap, Slab *slab); /* back to the supply */
void heap_slab_change_owner(Heap *to, Heap *from, Slab *slab); /* then in no list; both locks */
Slab *heap_slabs_take_all(Heap *heap); /* out of all lists, chained by `next` */
/* Those with free blocks, and the TLS slabs, to the shared heap; both locks. False: there are more than `slabs_max`. */
bool heap_slabs_share(Heap *from, unsigned slabs_max);
void heap_slabs_adopt(Heap *to, Heap *from);                           /* all slabs; both locks */

/* While the kernel takes the slab's backed free OS pages the slab is in no list, so nobody is handed a block of it. Afterwards
 * it goes back into the lists, to the supply if it is empty, to the shared heap if its thread has ended. `refused`: OS
 * pages that the kernel did not take. Returns the bytes given back. */
void heap_slab_to_purging(Heap *heap, Slab *slab);
size_t heap_slab_from_purging(Heap *heap, Slab *slab, OsPageSet refused);

#endif
