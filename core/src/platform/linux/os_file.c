/*
 * platform/linux/os_file.c - reads files in which the kernel says something.
 *
 * Layer: platform. By system call, because the C library's functions are cancellation points and a caller may hold a
 * lock. Thread rule: any thread.
 */
#define _GNU_SOURCE
#include "platform/linux/os_file.h"

#include <fcntl.h>

#include "platform/linux/os_call.h"

bool os_file_read(const char *path, char *text, size_t bytes) {
    long file = OS_CALL(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC);
    if (file < 0) return false;
    long length = OS_CALL(SYS_read, file, text, bytes - 1);
    (void)OS_CALL(SYS_close, file);
    text[length > 0 ? length : 0] = '\0';
    return length > 0;
}
