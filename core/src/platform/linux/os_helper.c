/*
 * platform/linux/os_helper.c - the helper thread on Linux.
 *
 * Layer: platform, above os_process.c and os_thread.c. Does not know heaps. Thread rule: any thread.
 */
#define _GNU_SOURCE
#include "platform/linux/os_helper.h"

#include <errno.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>

#include "platform/linux/os_call.h"
#include "platform/os.h"

static _Atomic uint64_t helper_process_id, helper_thread_id;
static _Atomic uint64_t helper_end_ms;
static _Atomic uint32_t helper_has_ended;
static void (*helper_function)(void);

/* Also where the main thread has ended: its number is the process's. */
static void use_processors_of_process(void) {
    unsigned long processors[1024 / sizeof(unsigned long)]; /* 8192 of them */
    long bytes = OS_CALL(SYS_sched_getaffinity, OS_CALL(SYS_getpid), sizeof processors, processors);
    if (bytes > 0) (void)OS_CALL(SYS_sched_setaffinity, 0, (size_t)bytes, processors);
}

static void *helper_main(void *unused) {
    (void)unused;
    atomic_store(&helper_thread_id, os_thread_id());
    use_processors_of_process();
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
    atomic_store(&helper_process_id, (uint64_t)OS_CALL(SYS_getpid));
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
    /* A signal handler may have made a copy of the process until here: the copy forgets its helper soon. */
    int result = os_process_is_copy() ? EAGAIN : pthread_create(&thread, &attributes, helper_main, NULL);
    if (result == EPERM) { /* the process may not choose the policy */
        (void)pthread_attr_setinheritsched(&attributes, PTHREAD_INHERIT_SCHED);
        result = pthread_create(&thread, &attributes, helper_main, NULL);
    }
    pthread_sigmask(SIG_SETMASK, &previous_signals, NULL);
    pthread_attr_destroy(&attributes);
    errno = saved;
    return result;
}

bool os_helper_is_calling(void) { return os_thread_id() == atomic_load(&helper_thread_id); }

static bool helper_is_known_to_kernel(pid_t thread_id) {
    return OS_CALL(SYS_tgkill, (pid_t)atomic_load(&helper_process_id), thread_id) == 0;
}

/* Whose process has ended did not end by itself: other processes may run in its memory (CLONE_VM). Perhaps it did not
 * even begin, and has no number: in its own process it will; a guest awaits that for BEGIN_WAITS_MAX * WAIT_MS.
 * A signal handler may have made a copy of this process meanwhile, in which nobody ends. */
static void await_end(void) {
    enum { WAIT_MS = 100, BEGIN_WAITS_MAX = 10 };
    for (unsigned waits = 0; atomic_load(&helper_has_ended) == 0 && !os_process_is_copy(); waits++) {
        pid_t thread_id = (pid_t)atomic_load(&helper_thread_id);
        bool may_begin = thread_id == 0 && (waits < BEGIN_WAITS_MAX || !os_process_is_guest());
        if (!may_begin && !helper_is_known_to_kernel(thread_id)) return;
        os_wait_ms(&helper_has_ended, 0, WAIT_MS);
    }
}

void os_helper_await_gone(void) {
    enum { EXIT_MS_MAX = 100, POLL_US = 20 }; /* then the id may be another thread's */
    await_end();
    uint64_t end_ms = atomic_load(&helper_end_ms);
    static _Atomic uint32_t nobody_wakes;
    struct timespec poll_interval = {0, POLL_US * 1000L};
    while (os_now_ms() - end_ms < EXIT_MS_MAX && !os_process_is_copy() &&
           helper_is_known_to_kernel((pid_t)atomic_load(&helper_thread_id)))
        (void)OS_CALL(SYS_futex, &nobody_wakes, FUTEX_WAIT_PRIVATE, 0, &poll_interval);
}
