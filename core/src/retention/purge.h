/*
 * retention/purge.h - free OS pages, of whomever, go back to the OS.
 *
 * Layer: retention. Does not decide how many (bounds.h). Thread rule: any thread, no lock held by the caller.
 */
#ifndef HAK_RETENTION_PURGE_H
#define HAK_RETENTION_PURGE_H

#include "heap/heap.h"
#include "superslab/superslab.h"

/* Gives back backed free OS pages that are at least `age_ms` old, oldest first, until at most `target_bytes` are left, or
 * `bytes_max` or a little more are given back: others may free meanwhile. Returns the resident bytes given back. */
size_t purge_run(uint32_t age_ms, int64_t target_bytes, size_t bytes_max);

/* In a forked child, before it does anything else: what other threads were giving back is free and backed again. */
void purge_abandon_all(void);

/* Gives back at once what is above the old bound, caches included: those of threads that are outside go, the calling
 * thread's and what else is left counts, as full. */
void purge_to_old_bound(void);

/* For the helper, which nobody waits for: gives back what is above the young bound, however young; returns the bytes. */
size_t purge_to_young_bound(void);

uint64_t purge_bytes_total(void); /* given back by heaps; the supply counts its own */

#endif
