/*
 * retention/bounds.h - the two retain bounds, and when free memory is next compared with them.
 *
 * Layer: retention. Arithmetic alone: gives nothing back. Thread rule: any thread, no lock.
 *
 *   idle bound  = retain_bytes + retain_percent of used bytes                      free for longer than purge_delay_ms
 *   helper bound = idle bound + first_thread_bytes in a process that never had a thread     above it a helper is wanted
 *   fixed burst bound = the largest of retain_burst_bytes, retain_burst_percent of used bytes, and the idle bound
 *   burst bound = the fixed one, or what is learned above it (burst.h)             free at all
 *
 * A poll compares backed_free_bytes with them. It sums over all heaps, so slow paths poll only when one of four sums
 * says that a bound may be exceeded: free bytes, bytes that heaps reported as returned (which lower the bounds),
 * cached bytes, bytes that were touched first (burst.h).
 */
#ifndef HAK_RETENTION_BOUNDS_H
#define HAK_RETENTION_BOUNDS_H

#include "cache/magazine.h"
#include "superslab/superslab.h"

/* No bound is above it, so that sums of a few do not overflow; an option may say more. */
#define BOUND_BYTES_MAX ((int64_t)1 << 61)

/* A bound for some used bytes, and the percentage of used bytes that it contains. */
typedef struct Bound {
    int64_t bytes, percent;
} Bound;

Bound bounds_idle(int64_t used_bytes);
Bound bounds_burst_fixed(int64_t used_bytes);

/* From here on the helper is wanted: the idle bound, and more in a process that never had a thread (option
 * first_thread_bytes), because the first one makes the C library and the C++ library lock ever after. */
Bound bounds_helper(int64_t used_bytes);

/* These two for the used bytes of now. */
int64_t bounds_idle_bytes(void);
int64_t bounds_helper_bytes(void);

/* What a purge in a thread that frees gives back, about: enough to batch system calls, and a pause of less than 1
 * ms. */
enum { PURGE_STEP_BYTES = SUPERSLAB_BYTES };

/* ---- When to poll ---- */

/* From one poll of the helper to the next. An OS page goes at an age between delay - poll and delay. */
enum { POLLS_PER_DELAY = 4 };
HAK_INLINE uint32_t bounds_helper_poll_ms(uint32_t delay_ms) { return delay_ms / POLLS_PER_DELAY + 1; }

extern _Atomic int64_t bounds_poll_at_free_bytes;     /* poll when backed_free_bytes exceeds it */
extern _Atomic int64_t bounds_poll_at_reported_bytes; /* poll when heaps have reported more since the last poll */
extern _Atomic int64_t bounds_report_portion_bytes;   /* a heap reports what it returned when that exceeds it */
extern _Atomic int64_t bounds_poll_at_cached_bytes;   /* poll when free and cached bytes exceed it */

/* A poll visits all heaps, so at least as many bytes are returned, or touched first, between two of them. */
int64_t bounds_least_step_bytes(void);

/* Sets the first two and the portion so that the next poll comes before free bytes can exceed `bound`. */
void bounds_set_next_poll(Bound bound);

/* The next slow path polls. Who calls this looks at the free bytes afterwards, and who has raised them looks whether to
 * poll afterwards. Both are seq_cst, stores and loads: one of the two sees what the other has stored. */
HAK_INLINE void bounds_poll_next_time(void) {
    atomic_store(&bounds_poll_at_free_bytes, 0);
    atomic_store(&bounds_poll_at_cached_bytes, 0);
}

/* What the idle bound limits once the threads are idle: free bytes, and caches as if they were full. */
HAK_INLINE int64_t bounds_free_and_cached_bytes(void) {
    return atomic_load(&backed_free_bytes) + LOAD_RELAXED(magazine_capacity_bytes);
}

#endif
