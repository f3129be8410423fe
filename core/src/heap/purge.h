/*
 * heap/purge.h - the retain bound: how many free OS pages may stay resident, and for how long.
 *
 * Layer: heap. Thread rule: any thread, no lock held by the caller.
 */
#ifndef HAK_HEAP_PURGE_H
#define HAK_HEAP_PURGE_H

#include "heap/heap.h"
#include "superslab/superslab.h"

/* How many free bytes may stay for longer, for the used bytes of now. */
int64_t purge_old_bound_bytes(void);

/* Gives back backed free OS pages that are at least `age_ms` old, oldest first, until at most `target_bytes` are left, or
 * `bytes_max` or a little more are given back: others may free meanwhile. Returns the resident bytes given back. */
size_t purge_run(uint32_t age_ms, int64_t target_bytes, size_t bytes_max);

/* In a forked child, before it does anything else: what other threads were giving back is free and backed again. */
void purge_abandon_all(void);

/* After the OS refused memory: gives back all that is free, addresses included, cached blocks of `heap` and of parked
 * threads first. True when it is worth asking again. `heap` is the calling thread's, entered (heap_enter), or NULL. */
bool purge_make_room(Heap *heap);

/* Gives back at once what is above the old bound, caches included: those of threads that are outside go, the calling
 * thread's and what else is left counts, as full. */
void purge_to_old_bound(void);

/* For the helper, which nobody waits for: gives back what is above the young bound, however young; returns the bytes. */
size_t purge_to_young_bound(void);

/* A look: keeps the young bound, and sees to it that the old one will be kept (helper.c). After a call that made so many
 * bytes free, about. */
void purge_if_over_bound_slow(int64_t freed_bytes);

/* The next look is due when there are so many backed free bytes, or when heaps have returned so many bytes that the bounds are
 * much lower; a heap shows what it returned as soon as it has purge_show_bytes. */
extern _Atomic int64_t purge_check_bytes, purge_show_bytes;
extern _Atomic int64_t purge_cache_check_bytes; /* with fewer of them and of cached ones nothing to wake the helper for */

HAK_INLINE void purge_if_over_bound(int64_t freed_bytes) {
    if (HAK_UNLIKELY(LOAD_RELAXED(backed_free_bytes) > LOAD_RELAXED(purge_check_bytes)))
        purge_if_over_bound_slow(freed_bytes);
}

/* Adds so many returned bytes to those of all heaps and looks where that is due. */
void purge_show_returned(int64_t bytes);

/* As purge_if_over_bound, after blocks went back, which makes the bounds lower: they may go back for long without an OS page
 * becoming free, and then many at once. For the heap's owner. */
HAK_INLINE void purge_after_return(Heap *heap, int64_t returned_bytes) {
    int64_t unshown_bytes = heap->unshown_bytes + returned_bytes;
    bool is_shown = unshown_bytes > LOAD_RELAXED(purge_show_bytes);
    heap->unshown_bytes = is_shown ? 0 : unshown_bytes;
    if (HAK_UNLIKELY(is_shown))
        purge_show_returned(unshown_bytes);
    else
        purge_if_over_bound(returned_bytes);
}

/* Where caches grow: sees to it that those of threads that go idle are taken when all of them, and what is free, exceed the
 * old bound. */
void purge_if_caches_over_bound_slow(void);

/* Free and cached bytes, as the old bound counts them. */
HAK_INLINE int64_t purge_free_and_cached_bytes(void) {
    return LOAD_RELAXED(backed_free_bytes) + LOAD_RELAXED(heap_cache_bytes);
}

HAK_INLINE void purge_if_caches_over_bound(void) {
    if (HAK_UNLIKELY(purge_free_and_cached_bytes() > LOAD_RELAXED(purge_cache_check_bytes)))
        purge_if_caches_over_bound_slow();
}

/* The helper has ended: the next slow paths look again. */
HAK_INLINE void purge_look_again(void) {
    STORE_RELAXED(purge_check_bytes, 0);
    STORE_RELAXED(purge_cache_check_bytes, 0);
}

/* The bounds have changed, and there may be no slow path for long: looks at once. */
void purge_look_now(void);

uint64_t purge_bytes_total(void); /* given back by heaps; the supply counts its own */

/* ---- helper.c: a thread that keeps the old bound while nobody calls ---- */

/* Starts the helper unless it runs. False where it cannot run: then memory is given back at once. */
bool helper_wake(void);
void helper_look_now(void);     /* if it runs: its delay may be another */
void helper_fork_prepare(void); /* returns when the kernel counts the helper no more */
void helper_fork_done(void);

#endif
