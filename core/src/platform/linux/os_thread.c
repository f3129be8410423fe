/*
 * platform/linux/os_thread.c - sleeping, thread exit, barriers, the helper thread and fork on Linux.
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
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/* ---- Sleeping ---- */

static void futex_wait(_Atomic uint32_t *word, uint32_t expected, const struct timespec *timeout) {
    int saved = errno;
    syscall(SYS_futex, (void *)word, FUTEX_WAIT_PRIVATE, expected, timeout, NULL, 0);
    errno = saved;
}

static void futex_wake(_Atomic uint32_t *word, int count) {
    int saved = errno;
    syscall(SYS_futex, (void *)word, FUTEX_WAKE_PRIVATE, count, NULL, NULL, 0);
    errno = saved;
}

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

uint64_t os_thread_id(void) { return (uint64_t)syscall(SYS_gettid); }

bool os_barrier_in_all_threads(void) {
    static _Atomic int state; /* 0: not registered yet. 1: registered. -1: the kernel refused */
    int saved = errno;
    if (os_calls_are_plain) return false;
    if (LOAD_RELAXED(state) == 0) {
        long registered = syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0, 0);
        STORE_RELAXED(state, registered == 0 ? 1 : -1);
    }
    bool done = LOAD_RELAXED(state) == 1 && syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0) == 0;
    errno = saved;
    return done;
}

/* ---- The helper thread ---- */

static _Atomic uint64_t helper_process_id, helper_thread_id;
static _Atomic uint64_t helper_end_ms;
static _Atomic uint32_t helper_has_ended;
static void (*helper_function)(void);

/* Also where the main thread has ended: its number is the process's. */
static void use_processors_of_process(void) {
    unsigned long processors[1024 / sizeof(unsigned long)]; /* 8192 of them */
    long bytes = syscall(SYS_sched_getaffinity, getpid(), sizeof processors, processors);
    if (bytes > 0) (void)syscall(SYS_sched_setaffinity, 0, (size_t)bytes, processors);
}

static void *helper_main(void *unused) {
    (void)unused;
    use_processors_of_process();
    atomic_store(&helper_thread_id, os_thread_id());
    helper_function();
    atomic_store(&helper_end_ms, os_now_ms());
    atomic_store(&helper_has_ended, 1);
    os_wake(&helper_has_ended);
    return NULL;
}

int os_helper_start(void (*run)(void)) {
    sigset_t all_signals, previous_signals;
    pthread_attr_t attributes;
    int saved = errno;
    if (os_calls_are_plain) return EPERM;
    helper_function = run;
    atomic_store(&helper_thread_id, 0);
    atomic_store(&helper_has_ended, 0);
    atomic_store(&helper_process_id, (uint64_t)getpid());
    if (pthread_attr_init(&attributes) != 0) {
        errno = saved;
        return ENOMEM;
    }
    /* Detached, because perhaps nobody calls the allocator after its end to join it. */
    (void)pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    size_t stack_bytes = (size_t)sysconf(_SC_THREAD_STACK_MIN);
    (void)pthread_attr_setstacksize(&attributes, stack_bytes + (64u << 10));
    (void)pthread_attr_setschedpolicy(&attributes, SCHED_OTHER);
    (void)pthread_attr_setschedparam(&attributes, &(struct sched_param){.sched_priority = 0}); /* else the caller's */
    (void)pthread_attr_setinheritsched(&attributes, PTHREAD_EXPLICIT_SCHED);
    /* The new thread inherits the mask: no signal handler of the host ever runs on it. */
    sigfillset(&all_signals);
    pthread_sigmask(SIG_SETMASK, &all_signals, &previous_signals);
    pthread_t thread;
    int result = pthread_create(&thread, &attributes, helper_main, NULL);
    if (result == EPERM) { /* the process may not choose the policy */
        (void)pthread_attr_setinheritsched(&attributes, PTHREAD_INHERIT_SCHED);
        result = pthread_create(&thread, &attributes, helper_main, NULL);
    }
    pthread_sigmask(SIG_SETMASK, &previous_signals, NULL);
    pthread_attr_destroy(&attributes);
    errno = saved;
    return result;
}

static bool helper_is_known_to_kernel(void) {
    pid_t process_id = (pid_t)atomic_load(&helper_process_id), thread_id = (pid_t)atomic_load(&helper_thread_id);
    return thread_id == 0 || syscall(SYS_tgkill, process_id, thread_id, 0) == 0;
}

/* Whose process has ended did not end by itself: other processes may run in its memory (CLONE_VM). A signal handler may
 * have made a copy of this process meanwhile, in which nobody ends. */
static void await_end(void) {
    enum { WAIT_MS = 100 };
    while (atomic_load(&helper_has_ended) == 0 && !os_process_is_copy() && helper_is_known_to_kernel())
        os_wait_ms(&helper_has_ended, 0, WAIT_MS);
}

void os_helper_await_gone(void) {
    enum { EXIT_MS_MAX = 100, POLL_US = 20 }; /* then the id may be another thread's */
    int saved = errno;
    await_end();
    uint64_t end_ms = atomic_load(&helper_end_ms);
    struct timespec poll_interval = {0, POLL_US * 1000L};
    while (os_now_ms() - end_ms < EXIT_MS_MAX && !os_process_is_copy() && helper_is_known_to_kernel())
        sleep_for(&poll_interval);
    errno = saved;
}

void os_fork_hooks_set(void (*prepare)(void), void (*parent)(void), void (*child)(void)) {
    int saved = errno;
    (void)pthread_atfork(prepare, parent, child);
    errno = saved;
}

void os_abort(void) { abort(); }
