/*
 * lifecycle/start.h - the start of everything, once per process.
 *
 * Layer: lifecycle. Thread rule: any thread.
 */
#ifndef HAK_LIFECYCLE_START_H
#define HAK_LIFECYCLE_START_H

#include "base/base.h"

/* Start-up of everything, once per process; cheap afterwards. */
void heap_start(void);

#endif
