/*
 * faults/os_faults.c - lets chosen calls of mmap, munmap, mremap and madvise fail, in any program: a library to
 * preload.
 *
 * Of the calls since the start, or since os_faults_from, the `first`-th and the `count - 1` behind it fail with
 * ENOMEM; `first` 0: none. At the start both are read from OS_FAULTS_FROM=first,count. The C library's own calls do
 * not pass here; with `count` 0 all calls from the `first`-th on fail, and the kernel refuses the C library's, too.
 * Thread rule: any thread.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

static _Atomic unsigned long first, count, calls;

/* What is mapped stays; more is refused. */
static void refuse_address_space(bool is_refused) {
    static rlim_t before;
    static _Atomic bool is_set;
    struct rlimit limit;
    if (atomic_exchange(&is_set, is_refused) == is_refused) return;
    getrlimit(RLIMIT_AS, &limit);
    if (is_refused) before = limit.rlim_cur;
    limit.rlim_cur = is_refused ? 1 : before;
    setrlimit(RLIMIT_AS, &limit);
}

void os_faults_from(unsigned long new_first, unsigned long new_count) {
    refuse_address_space(false);
    first = 0;
    calls = 0;
    count = new_count;
    first = new_first;
}

unsigned long os_faults_calls(void) { return calls; }

__attribute__((constructor)) static void start(void) {
    const char *text = getenv("OS_FAULTS_FROM");
    unsigned long from = 0, how_many = 0;
    if (text != NULL && sscanf(text, "%lu,%lu", &from, &how_many) == 2) os_faults_from(from, how_many);
}

static bool is_due(void) {
    unsigned long number = atomic_fetch_add(&calls, 1) + 1, from = first;
    if (from == 0 || number < from || (count != 0 && number - from >= count)) return false;
    if (count == 0) refuse_address_space(true);
    errno = ENOMEM;
    return true;
}

void *mmap(void *address, size_t bytes, int protection, int flags, int file, off_t offset) {
    return is_due() ? MAP_FAILED : (void *)syscall(SYS_mmap, address, bytes, protection, flags, file, offset);
}

int munmap(void *address, size_t bytes) { return is_due() ? -1 : (int)syscall(SYS_munmap, address, bytes); }

int madvise(void *address, size_t bytes, int advice) {
    return is_due() ? -1 : (int)syscall(SYS_madvise, address, bytes, advice);
}

void *mremap(void *address, size_t old_bytes, size_t new_bytes, int flags, ...) {
    va_list more;
    va_start(more, flags);
    void *to = (flags & MREMAP_FIXED) != 0 ? va_arg(more, void *) : NULL;
    va_end(more);
    return is_due() ? MAP_FAILED : (void *)syscall(SYS_mremap, address, old_bytes, new_bytes, flags, to);
}
