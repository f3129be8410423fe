/*
 * unit/answered_syscalls.h - system calls that the test answers in place of the kernel. For the tests whose link wraps
 * os_call (CMakeLists.txt).
 */
#ifndef UNIT_ANSWERED_SYSCALLS_H
#define UNIT_ANSWERED_SYSCALLS_H

#include <stdbool.h>

#include "platform/linux/os_call.h"

/* The test's own. *answer is 0 so far, and may be -errno. False: the kernel is asked. */
static bool is_answered(long number, const long *argument, long *answer);

__typeof__(os_call) __real_hak_core_os_call, __wrap_hak_core_os_call;
long __wrap_hak_core_os_call(long number, long first, long second, long third, long fourth, long fifth, long sixth) {
    const long argument[] = {first, second, third, fourth, fifth, sixth};
    long answer = 0;
    if (is_answered(number, argument, &answer)) return answer;
    return __real_hak_core_os_call(number, first, second, third, fourth, fifth, sixth);
}

#endif
