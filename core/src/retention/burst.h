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

/* What a purge gave back because the burst bound was exceeded, or because it was old enough. */
void burst_note_purged(size_t bytes);
void burst_note_aged(size_t bytes);

/* The helper's, about once a second: where memory is short nothing is held for a burst. */
void burst_look_at_pressure(void);

/* In a child, which has what its parent learned: nobody is in the middle of it. */
void burst_inherit(void);

typedef struct BurstFigures {
    uint64_t bound_bytes, regret_bytes, tried, kept, taken_back;
} BurstFigures;

BurstFigures burst_figures(void);

#endif
