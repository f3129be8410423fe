/*
 * superslab/supply.h - the supply's state, and the functions that its files share.
 *
 * Layer: superslab, private to it: superslab*.c, supply.c, run.c, mapping*.c; api/api_check.c reads it.
 * Thread rule: everything under the supply lock, except supply_release_finish.
 *
 * One module, three prefixes: other layers call superslab_ functions (superslab.h) and the registry's
 * ptr_to_superslab; files of this layer share supply_ functions, and superslab_allocate.
 */
#ifndef HAK_SUPERSLAB_SUPPLY_H
#define HAK_SUPERSLAB_SUPPLY_H

#include "base/types.h"

#define HEADER_STACK_CAPACITY 500u

/* A stack of unused headers; the stack itself lies in the first OS page of one more, which is taken last. */
typedef struct HeaderStack {
    struct HeaderStack *next;
    size_t count;
    SuperSlab *header[HEADER_STACK_CAPACITY];
} HeaderStack;

_Static_assert(sizeof(HeaderStack) <= OS_PAGE_BYTES_MIN, "one OS page");

/* SuperSlabs or mappings by the age of what is free in them, through queue_next and queue_previous. */
typedef struct SupplyQueue {
    SuperSlab *oldest, *newest;
} SupplyQueue;

/* I18 */
typedef struct CachedRun {
    Slab *first;
    unsigned slabs;
} CachedRun;

#define CACHED_RUNS_MAX 8u

typedef struct Supply {
    SuperSlab *active_by_used[SLABS_PER_SUPERSLAB + 1]; /* [n]: active with n used slabs; [0] stays NULL */
    SuperSlab *spare, *spare_last;                      /* one list: ordinary, newest first; then refused ones, */
    SuperSlab *spare_refused;                           /* which the kernel did not unmap: the one refused last */
    uint64_t lists_in_use;                  /* bit n > 0: active_by_used[n] is not empty; bit 0: spare is not empty */
    SupplyQueue queue;                      /* the purge queue (I11) */
    CachedRun cached_runs[CACHED_RUNS_MAX]; /* newest last */
    unsigned cached_run_count;
    HeaderStack *unused_headers;
    uint64_t mapped_count;            /* SuperSlabs, active and spare */
    uint64_t born, died;              /* active = born - died */
    _Atomic uint64_t purged_bytes;    /* resident bytes that went to the OS, ever; read without the lock, too */
    _Atomic uint64_t discarded_bytes; /* those of them that were in use, and never free */
    uint64_t large_count;             /* live blocks in runs and in mappings of their own */
    _Atomic uint64_t large_bytes;     /* theirs; read without the lock, too */
    /* mapping_bytes = live blocks in mappings + mapping_free_bytes + mapping_unbacked_bytes */
    uint64_t mapping_bytes, mapping_unbacked_bytes;
    _Atomic uint64_t mapping_free_bytes; /* read without the lock, too */
    SupplyQueue mapping_queue;           /* the mappings' queue (I16) */
    SuperSlab *mapping_slack;            /* live mappings that a cut makes shorter (I16), through next and previous */
} Supply;

extern Supply supply;

/* Used: owned by a heap or part of a run. A slab in purging_slabs is neither used nor free. */
HAK_INLINE unsigned supply_used_slabs(const SuperSlab *superslab) {
    return SLABS_PER_SUPERSLAB - (unsigned)__builtin_popcount(superslab->free_slabs | superslab->purging_slabs);
}

/* `count` neighbours, from slab `first` on, as a set. */
HAK_INLINE uint32_t slab_set(unsigned first, unsigned count) {
    return (uint32_t)((((uint64_t)1 << count) - 1) << first);
}

/* The list of its number of used slabs. Refused: a spare one, behind all others. */
void supply_list_insert(SuperSlab *superslab);
void supply_list_insert_refused(SuperSlab *superslab);
void supply_list_remove(SuperSlab *superslab);

/* Makes slabs without used blocks free, as of `since_ms`. The SuperSlab is in no list then, and the caller restores
 * I11. */
void supply_slabs_free(SuperSlab *superslab, uint32_t slabs, uint32_t since_ms);

/* A SuperSlab without used slabs: a spare one, else a new one. NULL: no memory. */
SuperSlab *superslab_allocate(void);

/* Takes free slabs out of the supply; the caller sets their owner. True: the SuperSlab was born. */
bool supply_slabs_leave(SuperSlab *superslab, uint32_t slabs);

/* Puts slabs without used blocks back. True: the SuperSlab died, and the caller has to call supply_release_finish,
 * without the lock. */
bool supply_slabs_join(SuperSlab *superslab, uint32_t slabs);

/* supply_slabs_join, and the release if it is due. Called with the lock; returns without it. */
void supply_slabs_return(SuperSlab *superslab, uint32_t slabs);

/* Either queue, of a SuperSlab or a mapping. Insert: younger ones stay behind it. Append: as of now. */
void supply_queue_insert(SupplyQueue *queue, SuperSlab *superslab, uint32_t since_ms);
void supply_queue_append(SupplyQueue *queue, SuperSlab *superslab);
void supply_queue_remove(SupplyQueue *queue, SuperSlab *superslab);

/* Restores I11 after a change of backed_free_slabs or backed_tails. Since: where pieces have been free since then.
 * Renew: also its place, after the oldest went. */
void supply_queue_update(SuperSlab *superslab);
void supply_queue_update_since(SuperSlab *superslab, uint32_t since_ms);
void supply_queue_renew(SuperSlab *superslab);

/* `slabs` are free, or have a tail that is, as of now. */
void supply_slabs_are_young(SuperSlab *superslab, uint32_t slabs);

/* Those of `slabs`, which are free or have a free tail, that have been so for `age_ms`; 0: all. */
uint32_t supply_slabs_aged(const SuperSlab *superslab, uint32_t slabs, uint32_t now_ms, uint32_t age_ms);

/* Headers of SuperSlabs and mappings. Take: contents undefined; NULL: no memory. Return: contents are lost. */
SuperSlab *supply_header_take(void);
void supply_header_return(SuperSlab *superslab);

/* Takes a spare SuperSlab, none of whose slabs is in purging_slabs, out of the lists, the sums and the registry. */
void supply_release_begin(SuperSlab *superslab);

/* Without the lock. Unmaps it and adds the resident bytes that went to the OS. False: the kernel refused, so the
 * SuperSlab is spare again; its OS pages are purged, unless the kernel refused that, too. */
bool supply_release_finish(SuperSlab *superslab, size_t *given_back_bytes);

#endif
