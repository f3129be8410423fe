/*
 * virtual_time.h - a replay's own clock, so that purges by age come at the same event every time.
 *
 * Replaces functions of core/src/platform/os.h while linking (--wrap). An event lasts EVENT_NS. The core's helper
 * thread runs only while the replay waits for it, between two events.
 */
#ifndef BENCH_VIRTUAL_TIME_H
#define BENCH_VIRTUAL_TIME_H

#include <stddef.h>
#include <stdint.h>

/* About what a Python program needs between two requests. */
enum { EVENT_NS = 100, IDLE_MS = 1000 };

typedef struct KernelCalls {
    uint64_t purges;   /* memory given back with its addresses kept */
    uint64_t releases; /* and without */
} KernelCalls;

/* Events until the helper wakes up. */
size_t virtual_time_events_left(void);

/* So many events have passed, at most as many as were left. */
void virtual_time_pass(size_t events);

/* Nothing calls the allocator for IDLE_MS. */
void virtual_time_idle(void);

KernelCalls virtual_time_kernel_calls(void);

#endif
