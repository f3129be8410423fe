/*
 * process.c - tells a process from its parent, also where both have the same number.
 *
 * Layer: bindings/python, bottom. Thread rule: any thread; a child begins with one.
 */
#define _GNU_SOURCE
#include "process.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <unistd.h>

#ifndef MADV_WIPEONFORK
#define MADV_WIPEONFORK 18
#endif

/* A word that the kernel sets to 0 in a child. NULL: it does not (before Linux 4.14), and the number has to do. */
static _Atomic uint32_t *mark;
static _Atomic uint32_t generation = 1;
static _Atomic pid_t number;

static void make_mark(void) {
    size_t bytes = (size_t)sysconf(_SC_PAGESIZE);
    void *page = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    atomic_store(&number, getpid());
    if (page == MAP_FAILED) return;
    if (madvise(page, bytes, MADV_WIPEONFORK) == 0) {
        mark = page;
        atomic_store(mark, 1);
    } else {
        (void)munmap(page, bytes);
    }
}

static bool is_new(void) {
    uint32_t wiped = 0;
    pid_t known = atomic_load(&number);
    if (mark != NULL) return atomic_load(mark) == 0 && atomic_compare_exchange_strong(mark, &wiped, 1);
    return known != getpid() && atomic_compare_exchange_strong(&number, &known, getpid());
}

uint32_t process_generation(void) {
    static pthread_once_t mark_is_made = PTHREAD_ONCE_INIT;
    (void)pthread_once(&mark_is_made, make_mark);
    if (is_new()) atomic_fetch_add(&generation, 1);
    return atomic_load(&generation);
}

PyObject *process_generation_number(PyObject *module, PyObject *unused) {
    (void)module, (void)unused;
    return PyLong_FromUnsignedLong(process_generation());
}
