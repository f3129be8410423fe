/*
 * support.h - stands in for the library that glibc's own tests are written against: checks, and calls that must work.
 *
 * Written for those tests of malloc that use public interfaces; test_glibc.py lets them find it.
 */
#ifndef HAK_TEST_GLIBC_SUPPORT_H
#define HAK_TEST_GLIBC_SUPPORT_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <malloc.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

/* Shared with the children that a test makes; set by main before the test begins. */
static int *failure_count;

__attribute__((unused)) static void record_failure(const char *file, int line, const char *text) {
    printf("%s:%d: %s\n", file, line, text);
    if (failure_count != NULL) __atomic_add_fetch(failure_count, 1, __ATOMIC_RELAXED);
}

#define TEST_VERIFY(condition)                                                                                         \
    ({                                                                                                                 \
        if (!(condition)) record_failure(__FILE__, __LINE__, "not true: " #condition);                                 \
    })
#define TEST_VERIFY_EXIT(condition)                                                                                    \
    ({                                                                                                                 \
        if (!(condition)) FAIL_EXIT1("not true: %s", #condition);                                                      \
    })
#define TEST_COMPARE(left, right)                                                                                      \
    ({                                                                                                                 \
        if ((left) != (right)) record_failure(__FILE__, __LINE__, "not equal: " #left ", " #right);                    \
    })
#define FAIL(...)                                                                                                      \
    ({                                                                                                                 \
        printf(__VA_ARGS__);                                                                                           \
        record_failure(__FILE__, __LINE__, "failed");                                                                  \
    })
#define FAIL_EXIT(status, ...)                                                                                         \
    ({                                                                                                                 \
        FAIL(__VA_ARGS__);                                                                                             \
        exit(status);                                                                                                  \
    })
#define FAIL_EXIT1(...) FAIL_EXIT(1, __VA_ARGS__)
#define FAIL_UNSUPPORTED(...) FAIL_EXIT(77, __VA_ARGS__)
#define EXIT_UNSUPPORTED 77
#define DEFAULT_TIMEOUT 20

#define array_length(array) (sizeof(array) / sizeof((array)[0]))
#define PTR_IS_ALIGNED(address, alignment) (((uintptr_t)(address) & ((alignment) - 1)) == 0)
#define PTR_ALIGN_UP(address, alignment)                                                                               \
    ((__typeof__(address))(((uintptr_t)(address) + (alignment) - 1) & ~(uintptr_t)((alignment) - 1)))
#define MALLOC_ALIGNMENT _Alignof(long double)
#define MALLOC_ALIGN_MASK (MALLOC_ALIGNMENT - 1)
#define __attribute_optimization_barrier__ __attribute__((noinline))

/* The compiler's warnings are off for these programs. */
#define DIAG_PUSH_NEEDS_COMMENT
#define DIAG_POP_NEEDS_COMMENT
#define DIAG_IGNORE_NEEDS_COMMENT(version, option)
#define DIAG_IGNORE_Os_NEEDS_COMMENT(version, option)

/* ---- Calls that must work ---- */

#define MUST(condition)                                                                                                \
    do {                                                                                                               \
        if (!(condition)) FAIL_EXIT1("%s: %s\n", #condition, strerror(errno));                                         \
    } while (0)
#define HELPER __attribute__((unused)) static

HELPER void *xmalloc(size_t size) {
    void *block = malloc(size);
    MUST(block != NULL);
    return block;
}

HELPER void *xcalloc(size_t count, size_t size) {
    void *block = calloc(count, size);
    MUST(block != NULL);
    return block;
}

HELPER void *xrealloc(void *block, size_t size) {
    void *moved = realloc(block, size);
    MUST(moved != NULL || size == 0);
    return moved;
}

HELPER pid_t xfork(void) {
    pid_t child = fork();
    MUST(child >= 0);
    return child;
}

HELPER void xwaitpid(pid_t child, int *status, int flags) { MUST(waitpid(child, status, flags) == child); }

HELPER int xopen(const char *path, int flags, mode_t mode) {
    int descriptor = open(path, flags, mode);
    MUST(descriptor >= 0);
    return descriptor;
}

HELPER void *xmmap(void *address, size_t size, int protection, int flags, int descriptor) {
    void *mapping = mmap(address, size, protection, flags, descriptor, 0);
    MUST(mapping != MAP_FAILED);
    return mapping;
}

HELPER void xmunmap(void *address, size_t size) { MUST(munmap(address, size) == 0); }

HELPER long xsysconf(int name) {
    long value = sysconf(name);
    MUST(value >= 0);
    return value;
}

HELPER sighandler_t xsignal(int number, sighandler_t handler) {
    sighandler_t former = signal(number, handler);
    MUST(former != SIG_ERR);
    return former;
}

HELPER void xsetrlimit_as(unsigned long bytes) {
    struct rlimit limit = {bytes, bytes};
    MUST(setrlimit(RLIMIT_AS, &limit) == 0);
}

HELPER pthread_t xpthread_create(pthread_attr_t *attributes, void *(*function)(void *), void *argument) {
    pthread_t thread;
    MUST(pthread_create(&thread, attributes, function, argument) == 0);
    return thread;
}

HELPER void *xpthread_join(pthread_t thread) {
    void *result;
    MUST(pthread_join(thread, &result) == 0);
    return result;
}

HELPER void xpthread_kill(pthread_t thread, int number) { MUST(pthread_kill(thread, number) == 0); }

HELPER int xpthread_barrier_wait(pthread_barrier_t *barrier) {
    int result = pthread_barrier_wait(barrier);
    MUST(result == 0 || result == PTHREAD_BARRIER_SERIAL_THREAD);
    return result;
}

#define xpthread_barrier_init(barrier, attributes, count) MUST(pthread_barrier_init(barrier, attributes, count) == 0)
#define xpthread_barrier_destroy(barrier) MUST(pthread_barrier_destroy(barrier) == 0)
#define xpthread_barrierattr_init(attributes) MUST(pthread_barrierattr_init(attributes) == 0)
#define xpthread_barrierattr_destroy(attributes) MUST(pthread_barrierattr_destroy(attributes) == 0)
#define xpthread_barrierattr_setpshared(attributes, value)                                                             \
    MUST(pthread_barrierattr_setpshared(attributes, value) == 0)

/* The page before the block holds its size. */
HELPER void *support_shared_allocate(size_t size) {
    size_t page = (size_t)xsysconf(_SC_PAGESIZE);
    char *mapping = xmmap(NULL, size + page, PROT_READ | PROT_WRITE, MAP_ANONYMOUS | MAP_SHARED, -1);
    *(size_t *)mapping = size + page;
    return mapping + page;
}

HELPER void support_shared_free(void *block) {
    char *mapping = (char *)block - xsysconf(_SC_PAGESIZE);
    xmunmap(mapping, *(size_t *)mapping);
}

/* In the current folder, which is the test's own. */
HELPER int create_temp_file(const char *base, char **name) {
    char *path = NULL;
    MUST(asprintf(&path, "%sXXXXXX", base) > 0);
    int descriptor = mkstemp(path);
    MUST(descriptor >= 0);
    if (name != NULL)
        *name = path;
    else
        free(path);
    return descriptor;
}

/* From signal handlers, too. */
HELPER void write_message(const char *text) {
    ssize_t written = write(STDOUT_FILENO, text, strlen(text));
    (void)written;
}

HELPER void ignore_stderr(void) { MUST(dup2(xopen("/dev/null", O_WRONLY, 0), STDERR_FILENO) == STDERR_FILENO); }

#endif
