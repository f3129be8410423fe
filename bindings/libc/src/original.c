/*
 * original.c - see original.h.
 *
 * Layer: bindings/libc, bottom. dlsym may allocate, so nothing is looked up while a block is made.
 */
#define _GNU_SOURCE
#include "original.h"

#include <dlfcn.h>
#include <stdatomic.h>
#include <stdint.h>

OriginalFunction original_function(_Atomic(OriginalFunction) *found, const char *name) {
    OriginalFunction function = atomic_load_explicit(found, memory_order_relaxed);
    if (function != NULL) return function;
    function = (OriginalFunction)(uintptr_t)dlsym(RTLD_NEXT, name);
    atomic_store_explicit(found, function, memory_order_relaxed);
    return function;
}

/* ISO C has no conversion between functions of different types but this one. */
#define CALL(type, function) ((type)(function))

void original_free(void *block) {
    static _Atomic(OriginalFunction) found;
    OriginalFunction function = original_function(&found, "free");
    if (function != NULL) CALL(void (*)(void *), function)(block);
}

void *original_realloc(void *block, size_t size_bytes) {
    static _Atomic(OriginalFunction) found;
    OriginalFunction function = original_function(&found, "realloc");
    return function != NULL ? CALL(void *(*)(void *, size_t), function)(block, size_bytes) : NULL;
}

size_t original_usable_size(void *block) {
    static _Atomic(OriginalFunction) found;
    OriginalFunction function = original_function(&found, "malloc_usable_size");
    return function != NULL ? CALL(size_t (*)(void *), function)(block) : 0;
}
