/*
 * platform/linux/os_clock.c - the monotonic clock of the kernel, which no preloaded library stops or turns back.
 *
 * Layer: platform. Thread rule: any thread.
 *
 * The C library's clock_gettime calls a function in the vDSO. So does this file, without the C library: libfaketime
 * wraps clock_gettime, and with a clock that stands still no free memory would become old.
 */
#define _GNU_SOURCE
#include "platform/linux/os_clock.h"

#include <errno.h>
#include <sys/auxv.h>
#include <time.h>

#include "platform/linux/os_call.h"
#include "platform/linux/os_vdso.h"
#include "platform/os.h"

#if OS_CALL_IS_DIRECT

#ifdef __x86_64__
#define CLOCK_FUNCTION "__vdso_clock_gettime"
#else
#define CLOCK_FUNCTION "__kernel_clock_gettime"
#endif

typedef int ClockFunction(clockid_t clock, struct timespec *now);
static ClockFunction *_Atomic clock_function; /* NULL: none, as under valgrind */

void os_clock_initialize(void) {
    int saved = errno;
    uintptr_t function = os_vdso_find((uintptr_t)getauxval(AT_SYSINFO_EHDR), CLOCK_FUNCTION);
    STORE_RELAXED(clock_function, (ClockFunction *)function);
    errno = saved;
}

static struct timespec read_clock(clockid_t clock) {
    struct timespec now = {0, 0};
    ClockFunction *function = LOAD_RELAXED(clock_function);
    if (HAK_UNLIKELY(function == NULL || function(clock, &now) != 0)) (void)OS_CALL(SYS_clock_gettime, clock, &now);
    return now;
}

#else

void os_clock_initialize(void) {}

static struct timespec read_clock(clockid_t clock) {
    struct timespec now = {0, 0};
    int saved = errno;
    (void)clock_gettime(clock, &now);
    errno = saved;
    return now;
}

#endif

uint64_t os_clock_now_ns(void) {
    struct timespec now = read_clock(CLOCK_MONOTONIC);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

uint64_t os_thread_us(void) {
    struct timespec used = read_clock(CLOCK_THREAD_CPUTIME_ID);
    return (uint64_t)used.tv_sec * 1000000u + (uint64_t)used.tv_nsec / 1000u;
}

uint64_t os_now_ms(void) {
    struct timespec now = read_clock(CLOCK_MONOTONIC_COARSE);
    return (uint64_t)now.tv_sec * 1000u + (uint64_t)now.tv_nsec / 1000000u;
}
