/*
 * retention/purge.h - gives free OS pages back to the OS: mappings first, then the supply, then heap by heap; in each
 * of these the oldest first.
 *
 * Layer: retention. Does not decide when (retention.h, helper.h). Thread rule: any thread, no lock held by the caller.
 */
#ifndef HAK_RETENTION_PURGE_H
#define HAK_RETENTION_PURGE_H

#include "heap/heap.h"
#include "superslab/superslab.h"

/* Gives back backed free OS pages that are at least `age_ms` old until backed_free_bytes is at most `target_bytes`,
 * or about `bytes_max` are given back: other threads may free meanwhile. Returns the resident bytes given back. */
size_t purge_run(uint32_t age_ms, int64_t target_bytes, size_t bytes_max);

/* Gives back what exceeds the idle bound, now and whatever its age. Caches count: those of threads outside the
 * allocator are taken first, the others count as full. */
void purge_to_idle_bound(void);

/* Gives back what exceeds the burst bound, whatever its age. Returns the bytes. For the helper, whom nobody awaits. */
size_t purge_to_burst_bound(void);

#endif
