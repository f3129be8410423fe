/*
 * retention/bounds.h - the two retain bounds, and when free memory is next compared with them.
 *
 * Layer: retention. Arithmetic alone: gives nothing back. Thread rule: any thread.
 */
#ifndef HAK_RETENTION_BOUNDS_H
#define HAK_RETENTION_BOUNDS_H

#include "cache/magazine.h"
#include "superslab/superslab.h"

/* A retain bound, and how many percent of the used bytes are in it. */
typedef struct Bound {
    int64_t bytes, percent;
} Bound;

Bound bounds_old(int64_t used_bytes);
Bound bounds_young(int64_t used_bytes); /* never below the old one */

/* How many free bytes may stay for longer, for the used bytes of now. */
int64_t purge_old_bound_bytes(void);

/* What one purge of a thread that frees gives back, about: so that calls are batched, and not more, for it is a pause. */
enum { AIR_BYTES_MAX = SUPERSLAB_BYTES };

/* From here on a look is due when free bytes that grow can meet the bound at the earliest. */
void bounds_set_next_look(Bound bound);

/* The next look is due when there are so many backed free bytes, or when heaps have returned so many bytes that the bounds are
 * much lower; a heap shows what it returned as soon as it has purge_show_bytes. */
extern _Atomic int64_t purge_check_bytes, purge_show_bytes;
extern _Atomic int64_t bounds_shown_bytes_max; /* a look is due when heaps have shown so many since the last one */
extern _Atomic int64_t purge_cache_check_bytes; /* with fewer of them and of cached ones nothing to wake the helper for */

/* Free and cached bytes, as the old bound counts them. */
HAK_INLINE int64_t purge_free_and_cached_bytes(void) {
    return LOAD_RELAXED(backed_free_bytes) + LOAD_RELAXED(heap_cache_bytes);
}

/* The helper has ended: the next slow paths look again. */
HAK_INLINE void purge_look_again(void) {
    STORE_RELAXED(purge_check_bytes, 0);
    STORE_RELAXED(purge_cache_check_bytes, 0);
}

#endif
