/*
 * lifecycle/start.h - the start of everything, once per process.
 *
 * Layer: lifecycle. Thread rule: any thread.
 */
#ifndef HAK_LIFECYCLE_START_H
#define HAK_LIFECYCLE_START_H

#include "base/base.h"

/* Starts the process's core unless that is done: OS page size, registry, options, size classes, thread-exit hook. Cheap
 * afterwards. */
void core_start(void);

#endif
