/*
 * fork.c - lets a fork take glibc's lock of all streams before the core's locks.
 *
 * Layer: bindings/libc, bottom. Thread rule: called by the C library in the thread that forks.
 *
 * fflush(NULL) holds that lock and waits for a stream; getline and others hold a stream and allocate. glibc's own fork
 * takes it before the locks of its malloc for that reason, but after all hooks, of which the core's is one. The lock
 * counts how often its thread has taken it. With one thread there is nobody to wait for, and glibc does not take it.
 */
#include <pthread.h>

#include "interpose.h"

#ifdef __GLIBC__

/* Weak, since a later glibc may do without them, or without the names. */
extern void _IO_list_lock(void) __attribute__((weak));
extern void _IO_list_unlock(void) __attribute__((weak));
extern void _IO_list_resetlock(void) __attribute__((weak));
extern char __libc_single_threaded __attribute__((weak)); /* since glibc 2.32 */

static _Thread_local uint32_t fork_count __attribute__((tls_model("initial-exec"))); /* that hold the lock now */

static void before_fork(void) {
    if (&__libc_single_threaded != NULL && __libc_single_threaded) return;
    fork_count++;
    _IO_list_lock();
}

static void after_fork_in_parent(void) {
    if (fork_count == 0) return;
    fork_count--;
    _IO_list_unlock();
}

/* A fork in a signal handler may have interrupted another one, which goes on in the child. */
static void after_fork_in_child(void) {
    if (fork_count == 0) return;
    fork_count--;
    _IO_list_resetlock();
    for (uint32_t count = 0; count < fork_count; count++) _IO_list_lock();
}

/* After the core's constructor, which sets its hooks: those that are set last are called first. */
__attribute__((constructor)) static void set_fork_hooks(void) {
    bool are_there = _IO_list_lock != NULL && _IO_list_unlock != NULL && _IO_list_resetlock != NULL;
    if (are_there) (void)pthread_atfork(before_fork, after_fork_in_parent, after_fork_in_child);
}

#endif
