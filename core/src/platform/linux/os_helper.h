/*
 * platform/linux/os_helper.h - which thread is the helper.
 *
 * Layer: platform, for the files of this folder. Thread rule: any thread.
 */
#ifndef HAK_PLATFORM_LINUX_OS_HELPER_H
#define HAK_PLATFORM_LINUX_OS_HELPER_H

#include "base/base.h"

/* True: the calling thread is the helper. */
bool os_helper_is_calling(void);

#endif
