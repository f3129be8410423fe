/*
 * platform/linux/os_call.c - see os_call.h.
 *
 * Layer: platform. Thread rule: any thread.
 */
#define _GNU_SOURCE
#include "platform/linux/os_call.h"

#if OS_CALL_IS_DIRECT && defined(__x86_64__)

long os_call(long number, long first, long second, long third, long fourth, long fifth, long sixth) {
    long answer;
    register long in_r10 __asm__("r10") = fourth;
    register long in_r8 __asm__("r8") = fifth;
    register long in_r9 __asm__("r9") = sixth;
    __asm__ volatile("syscall"
                     : "=a"(answer)
                     : "a"(number), "D"(first), "S"(second), "d"(third), "r"(in_r10), "r"(in_r8), "r"(in_r9)
                     : "rcx", "r11", "memory");
    return answer;
}

#elif OS_CALL_IS_DIRECT

long os_call(long number, long first, long second, long third, long fourth, long fifth, long sixth) {
    register long in_x8 __asm__("x8") = number;
    register long in_x0 __asm__("x0") = first;
    register long in_x1 __asm__("x1") = second;
    register long in_x2 __asm__("x2") = third;
    register long in_x3 __asm__("x3") = fourth;
    register long in_x4 __asm__("x4") = fifth;
    register long in_x5 __asm__("x5") = sixth;
    __asm__ volatile("svc 0"
                     : "+r"(in_x0)
                     : "r"(in_x8), "r"(in_x1), "r"(in_x2), "r"(in_x3), "r"(in_x4), "r"(in_x5)
                     : "cc", "memory");
    return in_x0;
}

#else

#include <errno.h>
#include <unistd.h>

long os_call(long number, long first, long second, long third, long fourth, long fifth, long sixth) {
    int saved = errno;
    long answer = syscall(number, first, second, third, fourth, fifth, sixth);
    if (answer == -1) answer = -errno;
    errno = saved;
    return answer;
}

#endif
