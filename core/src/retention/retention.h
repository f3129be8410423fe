/*
 * retention/retention.h - how much free memory stays, and who gives it back when: the one door of this layer.
 *
 * Layer: retention. Thread rule: any thread, no lock held by the caller; `heap` is the calling thread's.
 */
#ifndef HAK_RETENTION_RETENTION_H
#define HAK_RETENTION_RETENTION_H

#include "heap/heap.h"
#include "retention/bounds.h"

/* A look: keeps the young bound, and sees to it that the old one will be kept (helper.c). After a call that made so many
 * bytes free, about. */
void purge_if_over_bound_slow(int64_t freed_bytes);

HAK_INLINE void purge_if_over_bound(int64_t freed_bytes) {
    if (HAK_UNLIKELY(LOAD_RELAXED(backed_free_bytes) > LOAD_RELAXED(purge_check_bytes)))
        purge_if_over_bound_slow(freed_bytes);
}

/* Adds so many returned bytes to those of all heaps and looks where that is due. */
void purge_show_returned(int64_t bytes);

/* As purge_if_over_bound, after blocks went back, which makes the bounds lower: they may go back for long without an OS page
 * becoming free, and then many at once. For the heap's owner. */
HAK_INLINE void purge_after_return(Heap *heap, int64_t returned_bytes) {
    int64_t unshown_bytes = heap->retention.unshown_bytes + returned_bytes;
    bool is_shown = unshown_bytes > LOAD_RELAXED(purge_show_bytes);
    heap->retention.unshown_bytes = is_shown ? 0 : unshown_bytes;
    if (HAK_UNLIKELY(is_shown))
        purge_show_returned(unshown_bytes);
    else
        purge_if_over_bound(returned_bytes);
}

/* Where caches grow: sees to it that those of threads that go idle are taken when all of them, and what is free, exceed the
 * old bound. */
void purge_if_caches_over_bound_slow(void);

HAK_INLINE void purge_if_caches_over_bound(void) {
    if (HAK_UNLIKELY(purge_free_and_cached_bytes() > LOAD_RELAXED(purge_cache_check_bytes)))
        purge_if_caches_over_bound_slow();
}

/* Acts on what the heap's refill has left to do: a SuperSlab was born, a slab was taken, its caches grew. */
void retention_after_refill(Heap *heap);

/* The parts of it: for a SuperSlab that may have been born, for caches that may have grown. */
void retention_after_birth(void);
void retention_after_cache_growth(Heap *heap);

/* The bounds have changed, and there may be no slow path for long: looks at once. */
void purge_look_now(void);

/* After the OS refused memory: gives back all that is free, addresses included, cached blocks of `heap` and of parked
 * threads first. True when it is worth asking again. `heap` is the calling thread's, entered (heap_enter), or NULL. */
bool purge_make_room(Heap *heap);

#endif
