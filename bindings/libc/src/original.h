/*
 * original.h - the C library's own malloc, for blocks that it made.
 *
 * Layer: bindings/libc, bottom. Thread rule: any thread.
 */
#ifndef HAKMEM_LIBC_ORIGINAL_H
#define HAKMEM_LIBC_ORIGINAL_H

#include <stddef.h>

/* `block` is not the core's, and not NULL. What the C library says of an address that is nobody's, it says itself. */
void original_free(void *block);
void *original_realloc(void *block, size_t size_bytes);
size_t original_usable_size(void *block);

/* The next definition of a function behind this library's, as dlsym(RTLD_NEXT) finds it. NULL: there is none. The
 * function is looked up once; two threads that do so at the same time find the same one. */
typedef void (*OriginalFunction)(void);
OriginalFunction original_function(_Atomic(OriginalFunction) *found, const char *name);

#endif
