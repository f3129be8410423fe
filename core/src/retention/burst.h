/*
 * retention/burst.h - the burst bound: how much may be free at all. An option sets it, or it is learned.
 *
 * Layer: retention. Thread rule: any thread, no lock. Who finds that another thread tells the learner something does
 * not wait, and what it saw is lost.
 */
#ifndef HAK_RETENTION_BURST_H
#define HAK_RETENTION_BURST_H

#include "retention/bounds.h"

/* For the used bytes of all heaps. At least the idle bound, and what the options say. */
Bound burst_bound(int64_t used_bytes);

/* Before a look whether the burst bound is exceeded: the learner sees the process, and decides. */
void burst_see(int64_t used_bytes);

/* What a purge gave back because the burst bound was exceeded. */
void burst_note_purged(size_t bytes);

/* ---- While memory is taken into use: slow paths that touched OS pages first, or took free ones ---- */

extern _Atomic int64_t burst_least_free_bytes;       /* since the learner's last look */
extern _Atomic uint64_t burst_poll_at_touched_bytes; /* poll when first_touched_bytes exceeds it */

/* What is held and what is touched first exceed the demand together, since one kind of free memory does not serve the
 * other. True: poll. */
HAK_INLINE bool burst_is_exceeded_by_use(void) {
    int64_t free_bytes = LOAD_RELAXED(backed_free_bytes);
    if (free_bytes < LOAD_RELAXED(burst_least_free_bytes)) STORE_RELAXED(burst_least_free_bytes, free_bytes);
    return HAK_UNLIKELY(LOAD_RELAXED(first_touched_bytes) > LOAD_RELAXED(burst_poll_at_touched_bytes));
}

/* ---- Others ---- */

/* The helper's, about once a second: where memory is short nothing is held for a burst. */
void burst_look_at_pressure(void);

/* In a child, which has what its parent learned. If a thread of the parent was in the middle of it, nothing. */
void burst_inherit(void);

typedef struct BurstFigures {
    uint64_t bound_bytes, regret_bytes, tried, kept, taken_back;
} BurstFigures;

BurstFigures burst_figures(void);

#endif
