/*
 * superslab/superslab.h - the supply of slabs: birth, life and death of SuperSlabs.
 *
 * Layer: superslab. Does not know what is in a slab. Thread rule: any thread; each function that needs the supply
 * lock takes it (after heap locks, before the metadata lock).
 *
 * One module, three prefixes: other layers call superslab_ functions and the registry's ptr_to_superslab
 * (registry.h); files of this layer share supply_ functions (supply.h).
 *
 * States of a SuperSlab and their transitions:
 *   unmapped -superslab_allocate-> spare -supply_slabs_leave-> active     birth: its first slab is taken
 *   active   -supply_slabs_join, run_cache_flush-> spare                  death: its last used slab comes back
 *   spare    -supply_release_begin, supply_release_finish-> unmapped      or spare again, where the kernel refuses
 */
#ifndef HAK_SUPERSLAB_SUPERSLAB_H
#define HAK_SUPERSLAB_SUPERSLAB_H

#include "base/types.h"
#include "platform/lock.h"
#include "platform/os.h"

extern Lock supply_lock; /* other layers take it for a fork and for checks */

/* Bytes of backed OS pages without a used block: in slabs of heaps, in free slabs, in runs and mappings. The retain
 * bounds limit it. Raised with seq_cst (retention/bounds.h). */
extern _Atomic int64_t backed_free_bytes;

/* Of OS pages that became backed, since the start: each a page fault, but for huge pages. */
extern _Atomic uint64_t first_touched_bytes;

HAK_INLINE void first_touched(uint64_t bytes) {
    atomic_fetch_add_explicit(&first_touched_bytes, bytes, memory_order_relaxed);
}

/* Number of batches of slabs, SuperSlabs, mappings and destroyed heaps that are in no list while the kernel works
 * on them. A fork waits, for a bounded time, until it is 0: the child has no thread to put them back. Raised under
 * the lock of the list that they leave. */
extern _Atomic uint32_t detached_count;

HAK_INLINE void detached_begin(void) {
    lock_hand_fills();
    atomic_fetch_add_explicit(&detached_count, 1, memory_order_relaxed);
}

HAK_INLINE void detached_end(void) {
    atomic_fetch_sub_explicit(&detached_count, 1, memory_order_relaxed);
    lock_hand_empties();
}

typedef struct SupplyCounts {
    uint64_t active, spare;          /* SuperSlabs now */
    uint64_t born, died;             /* SuperSlabs ever: active = born - died */
    uint64_t mapped_bytes;           /* of SuperSlabs and mappings */
    uint64_t purged_bytes;           /* resident bytes that the supply gave back, ever */
    uint64_t large_bytes;            /* of live large blocks, in runs and in mappings, in whole OS pages */
    uint64_t large_blocks;           /* their number */
    uint64_t mapping_free_bytes;     /* backed bytes of mappings without a live block on them */
    uint64_t mapping_unbacked_bytes; /* bytes of mappings that no block has touched since the last purge */
} SupplyCounts;

/* large_bytes or mapping_free_bytes alone, of a moment ago, without the supply lock. */
uint64_t superslab_large_bytes(void);
uint64_t superslab_mapping_free_bytes(void);

/* Resident bytes of the supply that went to the OS since the start. Without the lock. */
uint64_t superslab_purged_bytes(void);

/* Those of them that were in use until then, and never in backed_free_bytes. Without the lock. */
uint64_t superslab_discarded_bytes(void);

/* Where a slab came from: a SuperSlab that was active, or one that was born for it (new or spare). */
typedef enum SlabSource { SLAB_RECYCLED, SLAB_OF_NEW_SUPERSLAB } SlabSource;

/* A free slab for `owner`, whose heap lock is held. used_blocks is 0, unbacked_pages is exact, the bitmap is
 * undefined. Its OS pages may have old contents. NULL: no memory. */
Slab *superslab_slab_take(Heap *owner, unsigned class_index, SlabSource *source);

/* Takes back a slab without used blocks, which is in no list of its heap. */
void superslab_slab_return(Slab *slab);

/* Takes back a slab that is in no list and whose used blocks no thread knows of any more; purges it first. Not
 * under the heap lock. */
void superslab_slab_discard(Slab *slab);

/* Gives back, oldest first, spare SuperSlabs, backed free slabs and backed tails of runs that are at least `age_ms`
 * old, until backed_free_bytes is at most `target_bytes`, or about `bytes_max` are given back. Asks the kernel
 * again for the SuperSlabs that it refused to unmap. Returns the bytes given back. The kernel works without the
 * supply lock, except on tails. */
size_t superslab_purge(uint32_t age_ms, int64_t target_bytes, size_t bytes_max);

/* In a forked child, which lacks the threads that were purging: their slabs are free and backed again. */
void superslab_purge_abandon(void);

/* These two flush the cached runs before (run_cache.h). */
SupplyCounts superslab_counts(void);

/* Calls `visit` for each SuperSlab (no mappings), spare ones first, under the supply lock; returns the counts of
 * that moment. */
SupplyCounts superslab_walk(void (*visit)(SuperSlab *superslab, void *context), void *context);

HAK_INLINE SuperSlab *superslab_of_slab(Slab *slab) {
    return (SuperSlab *)((char *)(slab - slab->slab_index) - offsetof(SuperSlab, slab));
}

HAK_INLINE uintptr_t slab_address(Slab *slab) {
    return superslab_of_slab(slab)->base + ((uintptr_t)slab->slab_index << SLAB_SHIFT);
}

/* I8. Exact while no other thread takes or returns blocks. */
uint64_t superslab_total_active_blocks(const SuperSlab *superslab);

HAK_INLINE OsPageSet os_page_set_all(void) { return (OsPageSet)((1u << (SLAB_BYTES >> os_page_shift)) - 1u); }

/* Counts bits by halves: without a processor option for popcnt the builtin is a call. */
HAK_INLINE int64_t os_page_set_bytes(OsPageSet set) {
    size_t count = set - (set >> 1 & 0x5555u);
    count = (count & 0x3333u) + (count >> 2 & 0x3333u);
    count = (count + (count >> 4)) & 0x0f0fu;
    return (int64_t)(((count + (count >> 8)) & 0x1fu) << os_page_shift);
}

#endif
