/*
 * lifecycle/fork.h - keeps the child of a multi-threaded process usable.
 *
 * Layer: lifecycle. Thread rule: called by the C library in the thread that forks (start.c sets the hooks).
 */
#ifndef HAK_LIFECYCLE_FORK_H
#define HAK_LIFECYCLE_FORK_H

#include "base/base.h"

/* In the child of a fork that was made between core_freeze and core_thaw: releases the locks, puts back what other
 * threads were purging, and detaches their heaps as if they had ended. Either process may be idle from then on, so
 * the child keeps the idle bound, too. */
void fork_child(void);

#endif
