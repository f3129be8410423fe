/*
 * support/stats.h - hakmem's stats as one value, their sums checked.
 */
#ifndef SUPPORT_STATS_H
#define SUPPORT_STATS_H

#include <hakmem.h>
#include <stdbool.h>

#define STATS_CLASSES_MAX 256

hak_stats_t stats_now(void);
hak_heap_stats_t stats_of_heap(const hak_heap_t *heap);

/* stats_now, with every documented equation checked; exact while other threads are quiet. */
hak_stats_t stats_checked(void);

/* Everything has been freed: hak_trim gives all of it back, and hak_check finds nothing. What the helper thread
 * holds in its hands in that moment goes a moment later. */
void stats_require_all_returned(void);

/* `debug` is 2: a part of each block is a canary, so that live_bytes is more than callers may use. */
bool stats_are_of_guarded_blocks(void);

uint64_t stats_counter(const char *name);

/* Turns the debug counters on, checks that it worked. */
void stats_counters_on(void);

void stats_option_set(const char *name, const char *value);

#endif
