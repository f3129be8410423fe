/*
 * wrapper.c - a library to preload that wraps functions of the C library, and allocates in each: as libfaketime and
 * torsocks do, by dlsym.
 *
 * As torsocks does, its `syscall` refuses calls that other functions of the C library are for. With STOPPED_CLOCK the
 * clocks stand still, as in `faketime -f`.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "check.h"

static pid_t (*original_getpid)(void);
static long (*original_sysconf)(int);
static long (*original_syscall)(long, ...);
static int (*original_clock_gettime)(clockid_t, struct timespec *);

/* The message of a name that is missing is a block; who comes back here meanwhile waits for ever. */
static void look_up(void) {
    dlsym(RTLD_NEXT, "there_is_no_such_function");
    *(void **)&original_getpid = dlsym(RTLD_NEXT, "getpid");
    *(void **)&original_sysconf = dlsym(RTLD_NEXT, "sysconf");
    *(void **)&original_syscall = dlsym(RTLD_NEXT, "syscall");
    *(void **)&original_clock_gettime = dlsym(RTLD_NEXT, "clock_gettime");
}

static void allocate(void) {
    enum { BLOCKS = 100, BYTES = 700 }; /* more than a thread has at hand */
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    void *blocks[BLOCKS];
    pthread_once(&once, look_up);
    for (int index = 0; index < BLOCKS; index++) blocks[index] = hidden(malloc(BYTES));
    for (int index = 0; index < BLOCKS; index++) free(blocks[index]);
}

pid_t getpid(void) {
    allocate();
    return original_getpid();
}

long sysconf(int name) {
    allocate();
    return original_sysconf(name);
}

int clock_gettime(clockid_t clock, struct timespec *now) {
    allocate();
#ifdef STOPPED_CLOCK
    *now = (struct timespec){.tv_sec = 1000000};
    return clock < 0;
#else
    return original_clock_gettime(clock, now);
#endif
}

long syscall(long number, ...) {
    enum { ARGUMENTS = 6 };
    long argument[ARGUMENTS];
    va_list list;
    va_start(list, number);
    for (int index = 0; index < ARGUMENTS; index++) argument[index] = va_arg(list, long);
    va_end(list);
    allocate();
    if (number != SYS_execve && number != SYS_unshare && number != SYS_setns)
        return original_syscall(number, argument[0], argument[1], argument[2], argument[3], argument[4], argument[5]);
    errno = ENOSYS;
    return -1;
}
