/*
 * platform/linux/os_file.h - reads files in which the kernel says something.
 *
 * Layer: platform, for the files of this folder. Thread rule: any thread. Errno is kept.
 */
#ifndef HAK_PLATFORM_LINUX_OS_FILE_H
#define HAK_PLATFORM_LINUX_OS_FILE_H

#include "base/base.h"

/* The beginning of a file, as text that fits in `bytes`. No descriptor stays open. False: it cannot be read, or is
 * empty. */
bool os_file_read(const char *path, char *text, size_t bytes);

#endif
