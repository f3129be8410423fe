/*
 * heap/heap.h - a heap: magazines, TLS slabs, and the lists of the slabs it owns.
 *
 * Layer: heap. The struct and nothing else. Each part has one writing folder; `used_bytes` is written by heap/
 * alone, under the heap lock. Thread rule: the owner pushes, pops and counts; any thread closes and empties magazines
 * under the heap lock; the rest is said at each part.
 *
 * Lock order: LockRank in platform/lock.h. Never the locks of two threads' heaps at once, but in heap_lock_all.
 */
#ifndef HAK_HEAP_HEAP_H
#define HAK_HEAP_HEAP_H

#include "base/types.h"
#include "platform/lock.h"
#include "platform/os.h"
#include "superslab/size_class.h"

/* Debug counters (option `counters`), by the names that stats and docs have. Derived ones are computed from others.
 * The three names tls_sll, ss_local, ss_remote are the original system's (docs/design.md). */
#define HEAP_COUNTERS(COUNTER)                                                                                    \
    COUNTER(refill_magazine)          /* mallocs that the magazine served (derived) */                            \
    COUNTER(refill_tls_slab)          /* refills from the TLS slab */                                             \
    COUNTER(refill_partial_slab)      /* ... from a partly used slab of the heap */                               \
    COUNTER(refill_adopted_slab)      /* ... from a slab of the shared heap, which becomes the heap's */          \
    COUNTER(refill_recycled_slab)     /* ... from a free slab of an active SuperSlab */                           \
    COUNTER(refill_new_superslab)     /* ... from a SuperSlab that was born for it */                             \
    COUNTER(tls_sll)                  /* frees that stayed in the magazine (derived) */                           \
    COUNTER(ss_local)                 /* blocks returned to a slab of the freeing heap */                         \
    COUNTER(ss_remote)                /* blocks returned to a slab of another heap */                             \
    COUNTER(early_return_zero_size)                                                                               \
    COUNTER(early_return_too_large)                                                                               \
    COUNTER(early_return_out_of_memory)                                                                           \
    COUNTER(early_return_null_free)                                                                               \
    COUNTER(early_return_foreign_free)                                                                            \
    COUNTER(early_return_magazine_closed)                                                                         \
    COUNTER(early_return_realloc_in_place)

typedef enum HeapCounter {
#define COUNTER(name) COUNTER_##name,
    HEAP_COUNTERS(COUNTER)
#undef COUNTER
    HEAP_COUNTER_COUNT
} HeapCounter;

/* The slabs of one class. All zero is a valid start. Under the heap lock. */
typedef struct HeapClass {
    TlsSlab tls;
    Slab *list[SLAB_LIST_FULL + 1];    /* by eighths of fullness; the last one: full */
    uint16_t lists_in_use;             /* bit n: list n is not empty; the full one has no bit (I17) */
    _Atomic uint8_t scattered_flushes; /* flushes that are not to be sorted; heap_return.c's alone, without the lock */
} HeapClass;

/* Slots of magazines are cut from the end of a piece; what is left at its start is less than one magazine's slots. So
 * SLOT_PIECES_MAX pieces are enough for all classes. */
#define SLOT_PIECE_BYTES_MIN 8192u
#define SLOT_PIECES_MAX (MAGAZINE_SLOTS_TOTAL / (SLOT_PIECE_BYTES_MIN / sizeof(void *) - MAGAZINE_BLOCKS_MAX) + 1)

typedef enum HeapKind {
    HEAP_NONE,    /* heap_none: every operation takes the slow path */
    HEAP_THREAD,  /* serves a thread */
    HEAP_PRIVATE, /* belongs to a host; its slabs serve nobody else */
    HEAP_POOLED,  /* owns nothing, waits for the next thread or host */
    HEAP_SHARED   /* heap_shared: owns slabs, serves no thread of its own */
} HeapKind;

/* A fast path counts before it touches a magazine, and in ..._done afterwards. Unequal: the owner is inside
 * (cache/owner.h). */
typedef struct HeapRequests {
    _Atomic uint64_t mallocs, mallocs_done;
    _Atomic uint64_t frees, frees_done;
} HeapRequests;

/* The lists of slabs beside those by class. Under the heap lock. */
typedef struct HeapSlabs {
    Slab *purge_oldest, *purge_newest; /* the purge queue (I14) */
    uint32_t purging_slabs;            /* detached while the kernel works on them */
    uint32_t taken_count;              /* slabs taken from the supply, ever */
    Slab *large;                       /* the large blocks of a private heap (I15) */
} HeapSlabs;

/* The magazines' state and slots. Under the heap lock. */
typedef struct HeapCache {
    bool is_closed;                                     /* all magazines are; the owner alone opens them */
    uint32_t growth_count;                              /* classes that were opened or grew, ever */
    int64_t flushed_bytes;                              /* returned by cache/flush.c, ever; the owner's */
    uint64_t classes_in_use[SIZE_CLASS_COUNT / 64 + 1]; /* bit n of all words: class n is in use */
    uint64_t seen_requests;                             /* mallocs + frees when reclaim last came */
    uint32_t slot_piece_count;
    size_t slot_piece_left;             /* slots at the start of the last piece */
    void **slot_piece[SLOT_PIECES_MAX]; /* memory that the slots of grown magazines are cut from */
    void **grown_slots[SIZE_CLASS_COUNT + 1];
} HeapCache;

/* When an empty heap flushes (alloc/empty_heap.c). The owner's; any thread reads `rebased` in sums. */
typedef struct HeapAlloc {
    _Atomic int64_t rebased;  /* sum of what rebases added to `mallocs` (I12) */
    uint64_t rebase_at_frees; /* no rebase before */
    uint64_t frees_at_flush;  /* at the last flush of all magazines */
    uint32_t quick_flushes;   /* in succession, with few frees between them */
    bool is_flush_deferred;   /* the heap was empty since that flush and did not flush */
} HeapAlloc;

/* What retention/ knows of the heap. The owner's; idle_... under the heap lock, by any thread. */
typedef struct HeapRetention {
    int64_t unreported_bytes;         /* returned to slabs, not yet added to the process's sum */
    int64_t seen_flushed_bytes;       /* cache.flushed_bytes when it was last added to that */
    uint32_t seen_slabs_taken_count;  /* slabs.taken_count when it was last acted on */
    uint32_t seen_cache_growth_count; /* cache.growth_count, likewise */
    uint32_t idle_since_ms;           /* when idle_seen_requests last changed */
    uint64_t idle_seen_requests;      /* mallocs + frees at the last visit of idle_slabs */
    int64_t idle_shared_used_bytes;   /* used_bytes after all slabs with free blocks were handed over; -1: not done */
} HeapRetention;

/*
 * Each part has one writer, the folder of its name; `slabs`, `class` and `used_bytes` are heap/'s, `small_slots`
 * cache/'s, `magazines` and `requests` cache/'s and alloc/'s. lifecycle/pool.c resets a heap that changes hands.
 * tests/lint/writers.py has the table.
 *
 *   I12  live blocks of all heaps = sum of (mallocs - rebased - frees) over heaps, plus heap_retired_live
 *   I13  used_bytes = sum of used_blocks * block_bytes over the slabs it owns
 *   I14  a slab is in the purge queue <=> it has backed free OS pages and is not being purged
 *   I15  large lists the first slab of each live large block of a private heap; large_heap of that slab is the heap,
 *        and NULL for every other large block
 *   I17  bit n of lists_in_use, a class's or the supply's <=> list n is not empty; a class's full list has no bit
 */
struct Heap {
    /* A fast path takes any slab class without a test: the magazine of one that is no size class stays zero, which is
     * empty and full at once. */
    Magazines magazines;
    _Alignas(CACHE_LINE_BYTES) HeapRequests requests;
    _Alignas(CACHE_LINE_BYTES) Lock lock; /* other threads' writes stay off the owner's line */
    HeapKind kind;
    Heap *next;                 /* all heaps ever made; written under heap_list_lock, read without */
    _Atomic int64_t used_bytes; /* beside `next`: sums read both; written under the heap lock */
    Heap *next_pooled;          /* under heap_list_lock */
    HeapSlabs slabs;
    HeapCache cache;
    HeapAlloc alloc;
    HeapRetention retention;
    _Atomic uint64_t counter[HEAP_COUNTER_COUNT];
    /* A pooled heap, but for a few that stay warm, gives back its OS pages from here to the end. */
    void *small_slots[SIZE_CLASS_COUNT + 1][MAGAZINE_SMALL_BLOCKS];
    HeapClass class[SIZE_CLASS_COUNT + 1];
};

_Static_assert(offsetof(Heap, magazines) == 0, "the tops, at offset 0, have the shortest instructions");
_Static_assert(offsetof(Heap, requests) == sizeof(Magazines), "the counters follow, on a line of their own");
_Static_assert(offsetof(Heap, lock) == offsetof(Heap, requests) + CACHE_LINE_BYTES, "and the lock, on the next");
_Static_assert(offsetof(Heap, used_bytes) / CACHE_LINE_BYTES == offsetof(Heap, next) / CACHE_LINE_BYTES, "one line");

extern _Thread_local Heap *heap_of_thread HAK_TLS_MODEL; /* never NULL: heap_none until the first slow path */

#endif
