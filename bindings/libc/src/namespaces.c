/*
 * namespaces.c - unshare and setns in a process that has a thread of hakmem's.
 *
 * Layer: bindings/libc. Thread rule: any thread.
 *
 * The kernel refuses a user namespace, and some others, to a process of more than one thread. A program that has one
 * alone does not know that hakmem has a second, so the two calls run without it. They are system calls and no more in
 * every C library.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <hakmem.h>
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "interpose.h"

static int without_helper(long number, int first, int second) {
    hak_quiesce_begin();
    long result = syscall(number, first, second);
    int saved = errno;
    (void)hak_quiesce_end();
    errno = saved;
    return (int)result;
}

INTERPOSE int unshare(int flags) { return without_helper(SYS_unshare, flags, 0); }

INTERPOSE int setns(int descriptor, int kind) { return without_helper(SYS_setns, descriptor, kind); }
