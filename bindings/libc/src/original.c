/*
 * original.c - see original.h.
 *
 * Layer: bindings/libc, bottom. dlsym may allocate, waits for a dlopen in another thread, and takes the message from
 * the next dlerror. So everything is looked up before main, and only a request that comes earlier looks up itself.
 */
#define _GNU_SOURCE
#include "original.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdint.h>

static const char *const names[ORIGINAL_COUNT] = {
    [ORIGINAL_FREE] = "free",
    [ORIGINAL_REALLOC] = "realloc",
    [ORIGINAL_USABLE_SIZE] = "malloc_usable_size",
    [ORIGINAL_DLOPEN] = "dlopen",
    [ORIGINAL_EXECVE] = "execve",
    [ORIGINAL_EXECVPE] = "execvpe",
    [ORIGINAL_FEXECVE] = "fexecve",
    [ORIGINAL_POSIX_SPAWN] = "posix_spawn",
    [ORIGINAL_POSIX_SPAWNP] = "posix_spawnp",
    [ORIGINAL_UNSHARE] = "unshare",
    [ORIGINAL_SETNS] = "setns",
};

static _Atomic(OriginalFunction) found[ORIGINAL_COUNT]; /* two threads that look one up find the same */

static OriginalFunction look_up(Original original) {
    int saved = errno;
    OriginalFunction function = (OriginalFunction)(uintptr_t)dlsym(RTLD_NEXT, names[original]);
    atomic_store_explicit(&found[original], function, memory_order_relaxed);
    errno = saved;
    return function;
}

__attribute__((constructor)) static void look_up_all(void) {
    for (Original original = 0; original < ORIGINAL_COUNT; original++) (void)look_up(original);
}

OriginalFunction original_function(Original original) {
    OriginalFunction function = atomic_load_explicit(&found[original], memory_order_relaxed);
    return function != NULL ? function : look_up(original);
}

/* ISO C has no conversion between functions of different types but this one. */
#define CALL(type, function) ((type)(function))

void original_free(void *block) {
    OriginalFunction function = original_function(ORIGINAL_FREE);
    if (function != NULL) CALL(void (*)(void *), function)(block);
}

void *original_realloc(void *block, size_t size_bytes) {
    OriginalFunction function = original_function(ORIGINAL_REALLOC);
    return function != NULL ? CALL(void *(*)(void *, size_t), function)(block, size_bytes) : NULL;
}

size_t original_usable_size(void *block) {
    OriginalFunction function = original_function(ORIGINAL_USABLE_SIZE);
    return function != NULL ? CALL(size_t (*)(void *), function)(block) : 0;
}
