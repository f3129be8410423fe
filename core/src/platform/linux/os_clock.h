/*
 * platform/linux/os_clock.h - the monotonic clock of the kernel.
 *
 * Layer: platform, for the files of this folder. Thread rule: any thread. Errno is kept.
 */
#ifndef HAK_PLATFORM_LINUX_OS_CLOCK_H
#define HAK_PLATFORM_LINUX_OS_CLOCK_H

#include "base/base.h"

/* Finds the quick way to the clock; may be called again. Before it the kernel is asked by system call. */
void os_clock_initialize(void);

uint64_t os_clock_now_ns(void);

#endif
