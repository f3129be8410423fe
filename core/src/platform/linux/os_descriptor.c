/*
 * platform/linux/os_descriptor.c - the helper thread's descriptors, and standard error for all threads.
 *
 * Layer: platform, above os_helper.c. Thread rule: any thread.
 */
#define _GNU_SOURCE
#include "platform/linux/os_descriptor.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "platform/linux/os_call.h"
#include "platform/linux/os_helper.h"
#include "platform/os.h"

/* The same on every processor; older headers lack them. */
#ifndef SYS_pidfd_open
#define SYS_pidfd_open 434
#endif
#ifndef SYS_close_range
#define SYS_close_range 436
#endif
#ifndef SYS_pidfd_getfd
#define SYS_pidfd_getfd 438
#endif

static _Atomic uint64_t left_by_thread; /* the last thread that has left the program's descriptors; 0: none */

/* One call, which copies none of the program's table but its first descriptors. A program's locks on files belong to
 * its table, so they stay. */
bool os_helper_leave_descriptors(void) {
    const unsigned long first = 0, last = UINT32_MAX, unshare_before = 2; /* CLOSE_RANGE_UNSHARE */
    bool has_left = os_helper_is_calling() && OS_CALL(SYS_close_range, first, last, unshare_before) == 0;
    if (has_left) STORE_RELAXED(left_by_thread, os_thread_id());
    return has_left;
}

/* ---- Standard error ---- */

/* The first thread has the program's table. A sandbox may forbid to take a descriptor from it; opening it anew works
 * for all but sockets. */
static long open_stderr(void) {
    long process = OS_CALL(SYS_pidfd_open, OS_CALL(SYS_getpid), 0);
    long file = OS_CALL(SYS_pidfd_getfd, process, STDERR_FILENO, 0);
    (void)OS_CALL(SYS_close, process);
    const int flags = O_WRONLY | O_APPEND | O_NOCTTY;
    return file >= 0 ? file : OS_CALL(SYS_openat, AT_FDCWD, "/proc/self/fd/2", flags);
}

/* For the calling thread, if it is the helper and has left the program's descriptors. -1: it has standard error. */
static long borrow_stderr(void) {
    uint64_t thread_id = LOAD_RELAXED(left_by_thread);
    return thread_id != 0 && thread_id == os_thread_id() ? open_stderr() : -1;
}

/* By system call: the C library's write is a cancellation point, and the caller may hold a lock. */
void os_write_error(const char *text, size_t bytes) {
    long borrowed = borrow_stderr(), file = borrowed >= 0 ? borrowed : STDERR_FILENO;
    while (bytes > 0) {
        long written = OS_CALL(SYS_write, file, text, bytes);
        if (written <= 0 && written != -EINTR) break;
        if (written > 0) {
            text += written;
            bytes -= (size_t)written;
        }
    }
    if (borrowed >= 0) (void)OS_CALL(SYS_close, borrowed);
}
