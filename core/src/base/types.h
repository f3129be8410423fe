/*
 * base/types.h - every struct that more than one file touches, with its invariants as equations.
 *
 * Layer: base. No functions that change state. Thread rule: said at each field; "heap lock" is the lock of the heap
 * that owns the slab, "supply lock" the one in superslab/superslab.c.
 *
 * The invariants I1.. are verified by api/check.c and explained in docs/invariants.md.
 */
#ifndef HAK_BASE_TYPES_H
#define HAK_BASE_TYPES_H

#include "base/base.h"

typedef struct Heap Heap;
typedef struct SuperSlab SuperSlab;

/* ---- Size classes ---- */

#define SIZE_CLASS_COUNT 128u

/* A set of OS pages of one slab, bit i for OS page i. 16 bits hold a slab at the smallest OS page. */
typedef uint16_t OsPageSet;

typedef struct SizeClass {
    uint32_t block_bytes;
    uint32_t reciprocal;       /* offset * reciprocal >> 32 = offset / block_bytes for every offset in a slab */
    uint16_t blocks_per_slab;
    uint16_t magazine_blocks;  /* capacity of a magazine; 0: always the slow path */
    OsPageSet starting_pages; /* OS pages in which a block starts */
    uint16_t first_starting[OS_PAGES_PER_SLAB_MAX + 1]; /* the first block that starts in OS page i or later */
    uint16_t first_touching[OS_PAGES_PER_SLAB_MAX];     /* the first block that reaches into OS page i or later */
} SizeClass;

/* What the registry knows of each 64 KiB of address space: a size class, 1 .. SIZE_CLASS_COUNT, or one of these. */
enum {
    SLAB_CLASS_FOREIGN = 0,
    SLAB_CLASS_FREE = SIZE_CLASS_COUNT + 1,
    SLAB_CLASS_LARGE,
    SLAB_CLASS_LARGE_INNER,
    SLAB_CLASS_COUNT
};

/* ---- Slabs ---- */

/*
 * A slab of one size class, owned by one heap. All fields but `owner` under the heap lock of `owner`.
 *
 *   I1  used_blocks = number of clear bits in free_bits[0 .. blocks_per_slab)
 *   I2  OS page i is in free_pages         <=> no used block touches it
 *   I3  OS page i is in available_pages    <=> a free block starts in it
 *   I4  unbacked_pages is a subset of free_pages; purging_pages is a subset of free_pages
 *   I5  full: used_blocks = blocks_per_slab; the TLS slab is in no list; every other slab is in the list of its
 *       fullness, or in the list of full ones
 */
typedef struct Slab {
    _Atomic(Heap *) owner; /* NULL while the slab is free; written under the lock of the old and of the new owner */
    union {
        struct Slab *next; /* the fullness list */
        size_t run_bytes;          /* first slab of a run: its block, in whole OS pages */
    };
    union {
        struct Slab *previous;
        Heap *large_heap; /* first slab of a run or mapping: the private heap that it belongs to, or NULL */
    };
    union {
        struct Slab *purge_next; /* the purge queue: slabs with backed free OS pages, by age */
        struct Slab *large_next; /* likewise: the large blocks of that heap; under its lock */
    };
    union {
        struct Slab *purge_previous;
        struct Slab *large_previous;
    };
    uint32_t purge_since_ms;                          /* when the oldest of these became free */
    uint16_t used_blocks;
    OsPageSet available_pages;
    OsPageSet free_pages;
    OsPageSet unbacked_pages;
    OsPageSet purging_pages; /* being given back outside the lock; the slab is in no list meanwhile */
    uint8_t class_index;
    uint8_t slab_index;
    uint8_t list;   /* SLAB_LIST_... */
    bool is_queued; /* in the purge queue */
} Slab;

/* The owner of a run: neighbouring slabs that hold one large block. class_index is 0, used_blocks of the first slab the
 * number of slabs. Under the supply lock. */
#define RUN_OWNER ((Heap *)(uintptr_t)1)

enum { SLAB_LIST_BINS = 8, SLAB_LIST_FULL = 8, SLAB_LIST_NONE = 9 }; /* 0..7: eighths of fullness */

_Static_assert(sizeof(Slab) <= CACHE_LINE_BYTES, "one cache line of metadata a slab");

/* ---- SuperSlabs ---- */

/*
 * The header of a SuperSlab. It lies outside the SuperSlab, so all 2 MiB serve blocks and no block overflow reaches it.
 * Fields under the supply lock, except slab[i], which belongs to the owner of slab i while that is not NULL.
 *
 *   I6  free_slabs and purging_slabs are disjoint; slab i is in one of them <=> slab[i].owner = NULL
 *   I7  the SuperSlab is active <=> some slab has an owner; spare otherwise
 *   I8  total_active_blocks = sum of slab[i].used_blocks (live and cached: a cached block keeps its SuperSlab alive)
 *   I11 backed_free_slabs is a subset of free_slabs and lists those with a backed OS page; backed_tails lists the slabs
 *       of runs with a backed OS page behind their block; one of both is not empty <=> the SuperSlab is in the queue
 *   I16 of a mapping: block_bytes <= backed_bytes <= mapping_bytes; in the mappings' queue <=> it is cached or its
 *       backed_bytes exceed its block_bytes
 */
#define LARGE_BLOCK_ROW_BLOCKS 448u   /* for blocks of 160 bytes and more */
#define MEDIUM_BLOCK_ROW_BLOCKS 2048u /* for blocks of 32 bytes and more */

struct SuperSlab {
    uintptr_t base;
    SuperSlab *next, *previous; /* active: list of its number of used slabs; spare: newest first; unused header: chain */
    SuperSlab *queue_next, *queue_previous; /* the purge queue: SuperSlabs with backed free OS pages, by age */
    size_t mapping_bytes; /* not 0: no slabs, but a mapping of so many bytes for one block, a multiple of 2 MiB */
    size_t block_bytes;   /* of that block, live or last, in whole OS pages */
    size_t backed_bytes;  /* of the mapping: what blocks may have touched since its last purge */
    bool is_cached;       /* no block lives in it */
    uint32_t queue_since_ms;
    uint32_t free_slabs;
    uint32_t backed_free_slabs;
    uint32_t backed_tails;
    uint32_t purging_slabs;     /* free slabs being purged outside the lock; not to be handed out */
    bool is_queued;
    _Atomic bool has_huge_pages; /* until its first partial purge */
    bool is_huge_untouched; /* from its birth until the first of its slabs is taken */
    Slab slab[SLABS_PER_SUPERSLAB];
    /* Bit set: the block is free. Three sizes of rows, so that most classes' bitmaps share few OS pages, and those of
     * larger blocks the header's own. */
    uint64_t large_block_bits[SLABS_PER_SUPERSLAB][LARGE_BLOCK_ROW_BLOCKS / 64];
    _Alignas(OS_PAGE_BYTES_MIN) uint64_t medium_block_bits[SLABS_PER_SUPERSLAB][MEDIUM_BLOCK_ROW_BLOCKS / 64];
    uint64_t small_block_bits[SLABS_PER_SUPERSLAB][BLOCKS_PER_SLAB_MAX / 64];
};

_Static_assert(offsetof(SuperSlab, medium_block_bits) == OS_PAGE_BYTES_MIN, "header: one OS page, then the bitmaps");
_Static_assert(sizeof(SuperSlab) * 50 <= SUPERSLAB_BYTES, "metadata at most 2 % of a full heap");

/* The slab from which a heap refills one class. superslab NULL: none yet, or it died. Under the heap lock. */
typedef struct TlsSlab {
    SuperSlab *superslab;
    Slab *slab;
    uint8_t slab_index;
} TlsSlab;

/* ---- Magazines and heaps ---- */

/*
 * A stack of free blocks of one class that only the owning thread touches. It begins small, so that a thread that holds
 * little of many classes touches few OS pages, and grows once to the capacity of its class.
 *
 *   I9   slots <= top <= slots + capacity (magazine_slots, magazine_capacity); open: floor = slots, ceiling = slots + capacity,
 *        or ceiling = slots while the class is not among the heap's classes in use; then it is empty
 *   I10  closed (being reclaimed by another thread): floor = the end of the address space, ceiling = NULL, so both
 *        fast paths take the slow one, which waits for the heap lock
 */
typedef struct Magazine {
    void **_Atomic top;
    void **_Atomic floor;
    void **_Atomic ceiling;
    /* Under the heap lock, and back to zero when the class is flushed: */
    uint16_t refill_blocks; /* how many the next refill takes: doubles from one refill to the next */
    uint16_t shared_blocks; /* taken from slabs of the shared heap */
    bool is_grown;          /* its slots are its class's own */
    uint8_t flushes;        /* since the last refill, as far as heap_flush.c counts */
    /* Constant: usable bytes of a block of the class / 8; 0: not a size class. Here because fast paths that count bytes touch
     * this cache line and no other of the class. */
    uint16_t usable_granules;
} Magazine;

_Static_assert(sizeof(Magazine) == 32, "a class number becomes an address by a shift");
_Static_assert(SLAB_CLASS_COUNT <= UINT8_MAX, "the registry has a byte for it");

#endif
