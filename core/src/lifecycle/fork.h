/*
 * lifecycle/fork.h - what happens around fork().
 *
 * Layer: lifecycle. Thread rule: called by the C library in the forking thread, once per fork, with the start-up lock held
 * (start.c); the first two also by hak_check.
 */
#ifndef HAK_LIFECYCLE_FORK_H
#define HAK_LIFECYCLE_FORK_H

#include "base/base.h"

/* With the helper stopped the old bound is kept here, before and after: either process may be idle from then on. */
void fork_prepare(void); /* stops the helper, then takes every lock in the lock order */
void fork_parent(void);  /* releases them */
void fork_child(void);   /* releases them and takes over what the other threads held */

#endif
