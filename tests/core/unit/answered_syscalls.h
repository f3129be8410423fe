/*
 * unit/answered_syscalls.h - system calls that the test answers in place of the kernel. For the tests whose link wraps
 * the C library's syscall (CMakeLists.txt).
 */
#ifndef UNIT_ANSWERED_SYSCALLS_H
#define UNIT_ANSWERED_SYSCALLS_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

/* The test's own. *answer is 0 so far. False: the kernel is asked. */
static bool is_answered(long number, const long *argument, long *answer);

long __real_syscall(long number, ...);
long __wrap_syscall(long number, ...);
long __wrap_syscall(long number, ...) {
    enum { ARGUMENTS = 6 };
    va_list list;
    long argument[ARGUMENTS], answer = 0;
    va_start(list, number);
    for (size_t index = 0; index < ARGUMENTS; index++) argument[index] = va_arg(list, long);
    va_end(list);
    if (is_answered(number, argument, &answer)) return answer;
    return __real_syscall(number, argument[0], argument[1], argument[2], argument[3], argument[4], argument[5]);
}

#endif
