/*
 * lifecycle/freeze.h - holds the whole core still: for a fork, and for a check of all invariants.
 *
 * Layer: lifecycle. Thread rule: any thread, no lock held by the caller. Slow paths of other threads wait; their fast
 * paths go on, within their own magazines. The thread itself may call anything meanwhile, these functions, too.
 */
#ifndef HAK_LIFECYCLE_FREEZE_H
#define HAK_LIFECYCLE_FREEZE_H

#include "base/base.h"

/* Stops the helper, takes every lock in the lock order, and waits, for 100 ms at most, until nothing is detached.
 * With the helper stopped nobody keeps the idle bound, so this does it first, and core_thaw once more. */
void core_freeze(void);

/* Releases the locks. Afterwards the next slow path that needs the helper starts it. */
void core_thaw(void);

/* Between the two, which nest, hakmem has no thread of its own; memory is given back at once. The second returns
 * false if it was not begun. */
void core_quiesce_begin(void);
bool core_quiesce_end(void);

/* For a forked child: releases the locks alone. */
void core_release_locks(void);

#endif
