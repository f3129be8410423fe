/*
 * retention/helper.h - the helper: a thread that keeps the idle bound while nobody calls the allocator.
 *
 * Layer: retention. Thread rule: any thread, no lock held by the caller; helper_stop returns with the helper's lock
 * held.
 */
#ifndef HAK_RETENTION_HELPER_H
#define HAK_RETENTION_HELPER_H

#include "base/base.h"

/* Starts the helper unless it runs. False: it cannot run, so the caller gives back at once. */
bool helper_wake(void);

/* A running helper polls now: its delay may have changed. */
void helper_poll_now(void);

/* For a fork: stops the helper, returns when the kernel does not count its thread any more, and keeps the helper's
 * lock until helper_allow, so that a child does not inherit the lock from a thread that it does not have. */
void helper_stop(void);
void helper_allow(void);

/* Between the two, which nest, no helper runs: memory is given back at once. The first returns when the kernel does
 * not count the helper's thread any more. The second returns false if it was not begun. */
void helper_quiesce_begin(void);
bool helper_quiesce_end(void);

#endif
