/*
 * base/types.h - every struct that more than one file touches, with its invariants as equations.
 *
 * Layer: base. No functions. Thread rule: said at each struct or field. "Heap lock" is the lock of the heap that
 * owns the slab or the magazine, "supply lock" is supply_lock (superslab/superslab.h).
 *
 * api/api_check.c recomputes the invariants I1.. below and in heap/heap.h; docs/invariants.md explains each and
 * says which of them it leaves out.
 */
#ifndef HAK_BASE_TYPES_H
#define HAK_BASE_TYPES_H

#include "base/base.h"

typedef struct Heap Heap;
typedef struct SuperSlab SuperSlab;

/* ---- Size classes ---- */

#define SIZE_CLASS_COUNT 128u

/* A set of OS pages of one slab: bit i is OS page i. 16 bits suffice: OS_PAGES_PER_SLAB_MAX is 16. */
typedef uint16_t OsPageSet;

/* Blocks are indexed from 0 in order of address: block i lies first_block_offset + i * block_bytes behind the start of
 * its slab. Constant after size_class_initialize. */
typedef struct SizeClass {
    uint32_t block_bytes;
    uint32_t first_block_offset; /* 0, or SHIFT_BYTES (superslab/size_class.h) */
    uint32_t reciprocal;         /* offset * reciprocal >> 32 = offset / block_bytes for every offset in a slab */
    uint16_t blocks_per_slab;
    uint16_t magazine_blocks; /* capacity of a grown magazine; 0: no magazine, always the slow path */
    OsPageSet starting_pages; /* OS pages in which a block starts */
    uint16_t first_starting[OS_PAGES_PER_SLAB_MAX + 1]; /* [i]: lowest block that starts in OS page i or behind it */
    uint16_t first_touching[OS_PAGES_PER_SLAB_MAX];     /* [i]: lowest block that ends in OS page i or behind it */
} SizeClass;

/* The registry's class for each 64 KiB of address space: a size class, 1 .. SIZE_CLASS_COUNT, or one of: */
enum {
    SLAB_CLASS_FOREIGN = 0,                 /* not hakmem's */
    SLAB_CLASS_FREE = SIZE_CLASS_COUNT + 1, /* no live block: a free slab, the start of a free mapping or cached run */
    SLAB_CLASS_LARGE,                       /* a live large block starts at its first byte */
    SLAB_CLASS_LARGE_INNER,                 /* any other slab of a run or a mapping */
    SLAB_CLASS_COUNT
};

/* ---- Slabs ---- */

/*
 * A slab of one size class, owned by one heap. Thread rule: the heap lock; while no heap owns the slab, the supply
 * lock. The holder of a large block reads run_bytes and large_heap without a lock.
 *
 * "The slab's bitmap" has a bit for each block, set while the block is free. It is a row of large_block_bits,
 * medium_block_bits or small_block_bits in struct SuperSlab; slab_free_bits (slab/slab.h) gives its address.
 *
 *   I1  used_blocks = number of clear bits among the first blocks_per_slab bits of the slab's bitmap
 *   I2  OS page i is in free_pages         <=> no used block touches it
 *   I3  OS page i is in available_pages    <=> a free block starts in it
 *   I4  unbacked_pages is a subset of free_pages; purging_pages is a subset of free_pages
 *   I5  list = SLAB_LIST_NONE              <=> it is a TLS slab, or purging_pages is not empty;
 *       otherwise it is in list SLAB_LIST_FULL if used_blocks = blocks_per_slab, else in the list of its fullness
 */
typedef struct Slab {
    /* NULL: free. RUN_OWNER: part of a run. Changes under the locks of the old and the new owner: for a heap the
     * heap's, for NULL and RUN_OWNER the supply lock. */
    _Atomic(Heap *) owner;
    union {
        struct Slab *next; /* the fullness list */
        size_t run_bytes;  /* first slab of a run: bytes of its block, in whole OS pages */
    };
    union {
        struct Slab *previous;
        Heap *large_heap; /* first slab of a run or mapping: the private heap that owns the block, or NULL */
    };
    union {
        struct Slab *purge_next; /* the heap's purge queue: slabs with backed free OS pages, oldest first */
        struct Slab *large_next; /* first slab of a run or mapping: the list of large_heap, under its lock */
    };
    union {
        struct Slab *purge_previous;
        struct Slab *large_previous;
    };
    /* When it entered its heap's purge queue; of a free slab, or of one with a free tail: when that became free. Lower
     * half of os_now_ms. */
    uint32_t purge_since_ms;
    uint16_t used_blocks;
    OsPageSet available_pages;
    OsPageSet free_pages;
    OsPageSet unbacked_pages;
    OsPageSet purging_pages; /* the kernel takes them back, without the lock; the slab is in no list and no queue */
    uint8_t class_index;
    uint8_t slab_index; /* in its SuperSlab */
    uint8_t list;       /* SLAB_LIST_..., or the eighth of its fullness */
    bool is_queued;     /* in the heap's purge queue */
} Slab;

/* The owner of each slab of a run (neighbouring slabs that hold one large block): class_index is 0; used_blocks is
 * the number of slabs in the first slab, 0 in the others. Under the supply lock. */
#define RUN_OWNER ((Heap *)(uintptr_t)1)

/* List n < SLAB_LIST_BINS: slabs that are not full, with n eighths of SLAB_BYTES in used blocks, rounded down. */
enum { SLAB_LIST_BINS = 8, SLAB_LIST_FULL = 8, SLAB_LIST_NONE = 9 };

_Static_assert(sizeof(Slab) <= CACHE_LINE_BYTES, "one cache line of metadata a slab");

/* ---- SuperSlabs ---- */

/*
 * The header of a SuperSlab, or of a mapping (one large block above RUN_BYTES_MAX). The header lies outside of the
 * memory that serves blocks, so all 2 MiB serve blocks and no overflow of a block reaches it.
 *
 * Thread rule: the supply lock. slab[i] and its bitmap: the lock of the heap that owns slab i, if one does. The
 * holder of a mapping's block reads is_mapping, base and block_bytes without a lock.
 *
 * Sets of slabs have bit i for slab i.
 *
 *   I6  free_slabs and purging_slabs are disjoint; slab i is in one of them <=> slab[i].owner = NULL
 *   I7  the SuperSlab is active <=> some slab has an owner; spare otherwise
 *   I8  superslab_total_active_blocks = sum of slab[i].used_blocks over owned slabs (live and cached blocks: a cached
 *       block keeps its SuperSlab alive); a spare SuperSlab has none
 *   I11 slab i is in backed_free_slabs  <=> it is in free_slabs and has a backed OS page
 *       slab i is in backed_tails       <=> it is part of a run and has a backed OS page behind the run's block
 *       is_queued (the supply's queue)  <=> backed_free_slabs or backed_tails is not empty
 *   I16 a mapping: block_bytes <= backed_bytes <= mapping_bytes
 *       is_queued (the mappings' queue) <=> is_free or block_bytes < backed_bytes
 *       it is in supply.mapping_slack   <=> not is_free, and block_bytes in whole SLAB_BYTES < mapping_bytes
 *   I18 a cached run (supply.cached_runs) has no block, and its slabs have the owner RUN_OWNER all the same. The
 *       registry's class of its first slab is SLAB_CLASS_FREE, and backed_free_bytes has its run_bytes
 */
#define LARGE_BLOCK_ROW_BLOCKS 448u   /* suffices for blocks of 160 bytes and more */
#define MEDIUM_BLOCK_ROW_BLOCKS 2048u /* suffices for blocks of 32 bytes and more */

struct SuperSlab {
    uintptr_t base;             /* of the 2 MiB, or of the mapping; a multiple of 2 MiB */
    SuperSlab *next, *previous; /* active: the list of its number of used slabs; spare: the list of spare ones */
    SuperSlab *queue_next, *queue_previous; /* a purge queue by age: the supply's, or that of mappings */
    size_t mapping_bytes;                   /* mapping: its size, a multiple of SLAB_BYTES */
    size_t block_bytes;                     /* mapping: its block, or its last one, in whole OS pages */
    size_t backed_bytes;     /* mapping: OS pages behind this offset were not touched since the last purge */
    uint64_t origin;         /* mapping: neighbours of the same origin lie in one kernel mapping */
    bool is_free;            /* mapping: no block lives in it */
    bool is_mapping;         /* it has no slabs */
    uint32_t queue_since_ms; /* no later than its oldest free piece became free; lower half of os_now_ms */
    uint32_t free_slabs;
    uint32_t backed_free_slabs;
    uint32_t backed_tails;
    uint32_t purging_slabs; /* the kernel takes them back, without the lock; neither free nor used */
    bool is_queued;
    _Atomic bool has_huge_pages; /* from birth to the first purge of a part of it */
    bool is_huge_untouched;      /* born with a huge page, and no slab was taken yet */
    Slab slab[SLABS_PER_SUPERSLAB];
    /* The slabs' bitmaps: row i of one of these is slab i's. A class of few blocks uses short rows, so that few OS
     * pages are touched: large_block_bits lie in the header's first one. */
    uint64_t large_block_bits[SLABS_PER_SUPERSLAB][LARGE_BLOCK_ROW_BLOCKS / 64];
    _Alignas(OS_PAGE_BYTES_MIN) uint64_t medium_block_bits[SLABS_PER_SUPERSLAB][MEDIUM_BLOCK_ROW_BLOCKS / 64];
    uint64_t small_block_bits[SLABS_PER_SUPERSLAB][BLOCKS_PER_SLAB_MAX / 64];
};

_Static_assert(offsetof(SuperSlab, medium_block_bits) == OS_PAGE_BYTES_MIN, "header: one OS page, then the bitmaps");
_Static_assert(sizeof(SuperSlab) * 50 <= SUPERSLAB_BYTES, "metadata at most 2 % of a full heap");

/* The slab from which a heap refills the magazine of one class. All zero: none. Under the heap lock. */
typedef struct TlsSlab {
    SuperSlab *superslab;
    Slab *slab;
    uint8_t slab_index;
} TlsSlab;

/* ---- Magazines and heaps ---- */

/* What else there is to a magazine. Under the heap lock but for what is constant. */
typedef struct MagazineState {
    /* magazines_reset_class sets them to 0: */
    uint16_t refill_blocks; /* the next refill takes this many blocks, then doubles it; 0: the first refill */
    uint16_t shared_blocks; /* blocks that refills took from slabs of the shared heap */
    bool is_grown;          /* its slots are grown_slots of its class, else small_slots (HeapCache, Heap) */
    uint8_t flushes;        /* half flushes since the last refill, with a maximum (alloc/free.c) */
    /* Constant: usable bytes of a block of the class; 0: not a size class. size_class_usable_bytes has no rows for
     * these, and a fast path has the heap at hand. */
    uint16_t usable_bytes;
} MagazineState;

/*
 * A heap's magazines, by slab class. A magazine is a stack of free blocks of one class: slots[0] is the oldest block,
 * top[-1] the newest. Its capacity begins at MAGAZINE_SMALL_BLOCKS, so that a thread with few blocks of many classes
 * touches few OS pages, and grows once, to magazine_blocks of its class.
 *
 * An array for each field, of elements of 8 bytes: on x86-64 a load takes the class number as its index, and a fast
 * path computes no address.
 *
 * Thread rule: the owner pushes and pops without a lock while it is open. Another thread takes blocks only after it
 * closed the magazine under the heap lock and found the owner outside (cache/reclaim.c).
 *
 *   I9   slots <= top <= slots + capacity      (magazine_slots, magazine_capacity)
 *        open, class in use by the heap: floor = slots, ceiling = slots + capacity
 *        open, class not in use:         floor = ceiling = top = slots: empty and full at once
 *   I10  closed:                         floor = end of the address space, ceiling = NULL: pop and push take the slow
 *                                        path, which waits for the heap lock
 */
typedef struct Magazines {
    void **_Atomic top[SLAB_CLASS_COUNT];
    void **_Atomic floor[SLAB_CLASS_COUNT];
    void **_Atomic ceiling[SLAB_CLASS_COUNT];
    MagazineState state[SLAB_CLASS_COUNT];
} Magazines;

_Static_assert(sizeof(MagazineState) == 8, "an element of 8 bytes, as the others");
_Static_assert(SLAB_CLASS_BYTES_MAX <= UINT16_MAX, "usable_bytes holds it");
_Static_assert(SLAB_CLASS_COUNT <= UINT8_MAX, "the registry has a byte for it");

#endif
