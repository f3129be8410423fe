/*
 * namespaces.c - unshare and setns in a process that has a thread of hakmem's.
 *
 * Layer: bindings/libc, above original.h. Thread rule: any thread.
 *
 * The kernel refuses a user namespace, and some others, to a process of more than one thread. A program that has one
 * alone does not know that hakmem has a second, so the two calls run without it.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <hakmem.h>
#include <sched.h>

#include "interpose.h"
#include "original.h"

static void end_without_helper(void) {
    int saved = errno;
    (void)hak_quiesce_end();
    errno = saved;
}

INTERPOSE int unshare(int flags) {
    int (*original)(int) = (int (*)(int))original_function(ORIGINAL_UNSHARE);
    hak_quiesce_begin();
    int result = original(flags);
    end_without_helper();
    return result;
}

INTERPOSE int setns(int descriptor, int kind) {
    int (*original)(int, int) = (int (*)(int, int))original_function(ORIGINAL_SETNS);
    hak_quiesce_begin();
    int result = original(descriptor, kind);
    end_without_helper();
    return result;
}
