/*
 * platform/linux/os_call.h - system calls that pass by the C library.
 *
 * Layer: platform, for the files of this folder. Thread rule: any thread. Errno is kept.
 *
 * The contract is the kernel's (syscall(2), "Architecture calling conventions"). A preloaded library may wrap a
 * function of the C library, as libfaketime wraps getpid and torsocks wraps syscall, and may allocate there: it would
 * come back into the core, which is starting or holds a lock. mmap, munmap, mremap and madvise are called through the C
 * library all the same: tools that look after memory wrap these (ThreadSanitizer, caches of memory registered with a
 * network card, tests/faults/os_faults.c), and miss addresses that are given back past them.
 */
#ifndef HAK_PLATFORM_LINUX_OS_CALL_H
#define HAK_PLATFORM_LINUX_OS_CALL_H

#include <sys/syscall.h>

#include "base/base.h"

/* Elsewhere the C library's `syscall` and `clock_gettime` are called. */
#if (defined(__x86_64__) && defined(__LP64__)) || (defined(__aarch64__) && defined(__LP64__))
#define OS_CALL_IS_DIRECT 1
#else
#define OS_CALL_IS_DIRECT 0
#endif

/* The kernel's answer: a result, or -errno. Not inlined, so that slow paths stay small. */
HAK_NOINLINE long os_call(long number, long first, long second, long third, long fourth, long fifth, long sixth);

/* os_call with up to six arguments, numbers or pointers; the others are 0. */
#define OS_CALL(...) OS_CALL_FILLED(__VA_ARGS__, 0, 0, 0, 0, 0, 0, 0)
#define OS_CALL_FILLED(number, first, second, third, fourth, fifth, sixth, ...) \
    os_call(number, (long)(first), (long)(second), (long)(third), (long)(fourth), (long)(fifth), (long)(sixth))

#endif
