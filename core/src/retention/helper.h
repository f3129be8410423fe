/*
 * retention/helper.h - the helper thread: gives old free OS pages back while nobody calls the allocator.
 *
 * Layer: retention. Thread rule: any thread; helper_fork_prepare returns with the helper's lock held.
 */
#ifndef HAK_RETENTION_HELPER_H
#define HAK_RETENTION_HELPER_H

#include "base/base.h"

/* Starts the helper unless it runs. False where it cannot run: then memory is given back at once. */
bool helper_wake(void);
void helper_look_now(void);     /* if it runs: its delay may be another */
void helper_fork_prepare(void); /* returns when the kernel counts the helper no more */
void helper_fork_done(void);

#endif
