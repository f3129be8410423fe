/*
 * platform/linux/os_descriptor.h - the helper thread's descriptors, which are not the program's.
 *
 * Layer: platform, for the files of this folder. Thread rule: any thread. Errno is kept.
 */
#ifndef HAK_PLATFORM_LINUX_OS_DESCRIPTOR_H
#define HAK_PLATFORM_LINUX_OS_DESCRIPTOR_H

#include "base/base.h"

/* The helper has an empty table of descriptors of its own from now on: a file that it opens takes no number of the
 * program's, and no file stays open that the program closes. False: another thread calls this, or a sandbox or a kernel
 * before 5.9 refuses. */
bool os_helper_leave_descriptors(void);

#endif
