/*
 * superslab/supply.h - the supply's own state, shared by the superslab*.c files only.
 *
 * Layer: superslab, private to it. Thread rule: everything under the supply lock, but supply_release_finish without.
 */
#ifndef HAK_SUPERSLAB_SUPPLY_H
#define HAK_SUPERSLAB_SUPPLY_H

#include "base/types.h"

#define HEADER_STACK_CAPACITY 500u

/* Headers without a SuperSlab. Their memory is purged; one of them in 500 lends its first OS page to hold the others'
 * addresses. */
typedef struct HeaderStack {
    struct HeaderStack *next;
    size_t count;
    SuperSlab *header[HEADER_STACK_CAPACITY];
} HeaderStack;

_Static_assert(sizeof(HeaderStack) <= OS_PAGE_BYTES_MIN, "one OS page");

typedef struct Supply {
    SuperSlab *active_by_used[SLABS_PER_SUPERSLAB + 1]; /* [n]: active with n used slabs; [0] is not used */
    SuperSlab *spare, *spare_last;                      /* newest first; then, from spare_refused on, */
    SuperSlab *spare_refused;                           /* those that the kernel refused to unmap, last refused first */
    uint64_t lists_in_use;                              /* bit n: list n is not empty; bit 0: there is a spare */
    SuperSlab *queue_oldest, *queue_newest;
    HeaderStack *unused_headers;
    uint64_t mapped_count, born, died, purged_bytes;
    uint64_t large_count, large_bytes; /* live blocks in runs and in mappings of their own */
    /* mapping_bytes = live blocks in mappings + mapping_free_bytes + mapping_unbacked_bytes */
    uint64_t mapping_bytes, mapping_free_bytes, mapping_unbacked_bytes;
    SuperSlab *mapping_oldest, *mapping_newest; /* the queue of mappings (I16), through queue_next and queue_previous */
} Supply;

extern Supply supply;

/* Used: owned by a heap. Slabs that are being purged are neither used nor free. */
HAK_INLINE unsigned supply_used_slabs(const SuperSlab *superslab) {
    return SLABS_PER_SUPERSLAB - (unsigned)__builtin_popcount(superslab->free_slabs | superslab->purging_slabs);
}

/* A spare SuperSlab or a new one; NULL: no memory. */
SuperSlab *superslab_allocate(void);

/* Free slabs of a SuperSlab get an owner (the caller sets it); true when that is its birth. */
bool supply_slabs_leave(SuperSlab *superslab, uint32_t slabs);

/* Slabs come back without a used block. True: the SuperSlab died and supply_release_finish is due, without the lock. */
bool supply_slabs_join(SuperSlab *superslab, uint32_t slabs);

/* Both. Called with the lock, which it gives up. */
void supply_slabs_return(SuperSlab *superslab, uint32_t slabs);

void supply_queue_append(SuperSlab *superslab);
void supply_queue_remove(SuperSlab *superslab);
void supply_queue_update(SuperSlab *superslab); /* in the queue exactly when it has backed free slabs */
SuperSlab *supply_header_take(void); /* undefined contents; NULL: no memory */
void supply_header_return(SuperSlab *superslab);

void supply_release_begin(SuperSlab *superslab);

/* Without the lock. Adds the resident bytes given back. False: the kernel refuses to unmap it; it is a spare again,
 * without backed OS pages unless it refuses that, too. */
bool supply_release_finish(SuperSlab *superslab, size_t *given_back_bytes);

#endif
