/*
 * superslab/superslab.h - the supply of slabs: birth, life and death of SuperSlabs.
 *
 * Layer: superslab. Does not know what is in a slab. Thread rule: every function takes the supply lock itself, which
 * comes after heap locks and before the metadata lock.
 *
 * States of a SuperSlab and their transitions:
 *   (unmapped) -superslab_allocate-> active -superslab_free-> spare -superslab_allocate-> active
 *                                                             spare -supply_release-> (unmapped), or spare where
 *                                                                    the kernel refuses
 */
#ifndef HAK_SUPERSLAB_SUPERSLAB_H
#define HAK_SUPERSLAB_SUPERSLAB_H

#include "base/types.h"
#include "platform/lock.h"
#include "platform/os.h"

extern Lock supply_lock; /* for fork, stats and checks */

/* Backed OS pages without a used block, in slabs of heaps and in free ones, in bytes: what the retain bounds limit. */
extern _Atomic int64_t backed_free_bytes;

/* Number of slabs, SuperSlabs, mappings and destroyed heaps that are detached from all lists while the kernel works on them.
 * A fork waits, for a bounded time, until it is 0: the child has no thread to put them back. Changed under the owner's lock. */
extern _Atomic uint32_t detached_count;

typedef struct SupplyCounts {
    uint64_t active, spare, born, died, mapped_bytes, purged_bytes;
    uint64_t large_bytes, large_blocks, mapping_free_bytes, mapping_unbacked_bytes;
} SupplyCounts;

/* Where a slab came from. */
typedef enum SlabSource { SLAB_RECYCLED, SLAB_OF_NEW_SUPERSLAB } SlabSource;

/* A free slab, from now on `owner`'s, of `class_index`; its used_blocks is 0, its OS page sets say which OS pages are
 * backed, its free_bits are undefined. NULL when the OS gives no memory. */
Slab *superslab_slab_take(Heap *owner, unsigned class_index, SlabSource *source);

/* Takes an empty slab back. The last one of a SuperSlab is its death. */
void superslab_slab_return(Slab *slab);

/* The same for a slab that may hold used blocks: they are gone, and its OS pages go to the OS first. It is in no list,
 * and nobody else knows of a block in it. */
void superslab_slab_discard(Slab *slab);

/* Gives back free slabs and spare SuperSlabs, oldest first, that are at least `age_ms` old, until backed_free_bytes is
 * at most `target_bytes`, or `bytes_max` or a little more are given back. Returns the bytes given back. Holds no lock
 * while the kernel works. */
size_t superslab_purge(uint32_t age_ms, int64_t target_bytes, size_t bytes_max);

/* In a forked child, where the threads that were purging are no more: their slabs are free and backed again. */
void superslab_purge_abandon(void);

SupplyCounts superslab_counts(void);

/* Calls `visit` for every SuperSlab, spare ones first, with the supply lock held; returns the counts of that moment. */
SupplyCounts superslab_walk(void (*visit)(SuperSlab *superslab, void *context), void *context);

HAK_INLINE SuperSlab *superslab_of_slab(Slab *slab) {
    return (SuperSlab *)((char *)(slab - slab->slab_index) - offsetof(SuperSlab, slab));
}

HAK_INLINE uintptr_t slab_address(Slab *slab) {
    return superslab_of_slab(slab)->base + ((uintptr_t)slab->slab_index << SLAB_SHIFT);
}

/* I8, as a function. Exact when no other thread allocates. */
uint64_t superslab_total_active_blocks(const SuperSlab *superslab);

HAK_INLINE OsPageSet os_page_set_all(void) { return (OsPageSet)((1u << (SLAB_BYTES >> os_page_shift)) - 1u); }

/* By halves, since where the processor need not have an instruction for it the compiler's own is a call. */
HAK_INLINE int64_t os_page_set_bytes(OsPageSet set) {
    size_t count = set - (set >> 1 & 0x5555u);
    count = (count & 0x3333u) + (count >> 2 & 0x3333u);
    count = (count + (count >> 4)) & 0x0f0fu;
    return (int64_t)(((count + (count >> 8)) & 0x1fu) << os_page_shift);
}

#endif
