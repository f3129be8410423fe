/*
 * original.h - the C library's own functions behind those of this library.
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

typedef enum Original {
    ORIGINAL_FREE,
    ORIGINAL_REALLOC,
    ORIGINAL_USABLE_SIZE,
    ORIGINAL_DLOPEN,
    ORIGINAL_EXECVE,
    ORIGINAL_EXECVPE,
    ORIGINAL_FEXECVE,
    ORIGINAL_POSIX_SPAWN,
    ORIGINAL_POSIX_SPAWNP,
    ORIGINAL_UNSHARE,
    ORIGINAL_SETNS,
    ORIGINAL_COUNT
} Original;

/* The next definition behind this library's, as dlsym(RTLD_NEXT) finds it. NULL: this library lies behind the C
 * library, where nobody calls it. */
typedef void (*OriginalFunction)(void);
OriginalFunction original_function(Original original);

#endif
