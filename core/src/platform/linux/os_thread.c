/*
 * platform/linux/os_thread.c - sleeping, thread exit, barriers and fork on Linux.
 *
 * Layer: platform. Does not know heaps. Thread rule: any thread.
 */
#define _GNU_SOURCE
#include "platform/os.h"

#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <linux/membarrier.h>
#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#include "platform/linux/os_call.h"

/* ---- Sleeping ---- */

static void futex_wait(_Atomic uint32_t *word, uint32_t expected, const struct timespec *timeout) {
    (void)OS_CALL(SYS_futex, word, FUTEX_WAIT_PRIVATE, expected, timeout);
}

static void futex_wake(_Atomic uint32_t *word, int count) { (void)OS_CALL(SYS_futex, word, FUTEX_WAKE_PRIVATE, count); }

void os_wait(_Atomic uint32_t *word, uint32_t expected) { futex_wait(word, expected, NULL); }

void os_wait_ms(_Atomic uint32_t *word, uint32_t expected, uint32_t milliseconds) {
    struct timespec timeout = {milliseconds / 1000u, (long)(milliseconds % 1000u) * 1000000L};
    futex_wait(word, expected, &timeout);
}

void os_wake(_Atomic uint32_t *word) { futex_wake(word, INT_MAX); }
void os_wake_one(_Atomic uint32_t *word) { futex_wake(word, 1); }

static void sleep_for(const struct timespec *duration) {
    static _Atomic uint32_t nobody_wakes;
    futex_wait(&nobody_wakes, 0, duration);
}

void os_sleep_ms(uint32_t milliseconds) {
    struct timespec duration = {milliseconds / 1000u, (long)(milliseconds % 1000u) * 1000000L};
    sleep_for(&duration);
}

/* ---- Threads ---- */

static pthread_key_t exit_key;
static void (*exit_function)(void);

static void exit_key_destructor(void *unused) {
    (void)unused;
    exit_function();
}

void os_thread_exit_hook_set(void (*on_exit)(void)) {
    int saved = errno;
    exit_function = on_exit;
    /* Without a key the magazines of a thread that ends are not flushed: their blocks stay cached, nothing breaks. */
    if (pthread_key_create(&exit_key, exit_key_destructor) != 0) exit_function = NULL;
    errno = saved;
}

void os_thread_exit_hook_arm(void) {
    int saved = errno;
    if (exit_function != NULL) (void)pthread_setspecific(exit_key, &exit_key);
    errno = saved;
}

extern char __libc_single_threaded __attribute__((weak)); /* glibc's from 2.32 on; it never becomes true again */

bool os_has_one_thread_ever(void) { return &__libc_single_threaded != NULL && __libc_single_threaded != 0; }

uint64_t os_thread_id(void) { return (uint64_t)OS_CALL(SYS_gettid); }

bool os_barrier_in_all_threads(void) {
    static _Atomic int state; /* 0: not registered yet. 1: registered. -1: the kernel refused */
    if (os_calls_are_plain) return false;
    if (LOAD_RELAXED(state) == 0) {
        long registered = OS_CALL(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED);
        STORE_RELAXED(state, registered == 0 ? 1 : -1);
    }
    return LOAD_RELAXED(state) == 1 && OS_CALL(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED) == 0;
}

/* ---- Processes ---- */

void os_fork_hooks_set(void (*prepare)(void), void (*parent)(void), void (*child)(void)) {
    int saved = errno;
    (void)pthread_atfork(prepare, parent, child);
    errno = saved;
}

void os_abort(void) { abort(); }
