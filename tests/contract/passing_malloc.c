/*
 * passing_malloc.c - another allocator to preload: the C library's own, by other names. Before hakmem's library it is
 * what jemalloc may be there; beneath hakmem it counts the blocks that come back.
 */
#include <stdatomic.h>
#include <stddef.h>

extern void *__libc_malloc(size_t bytes);
extern void *__libc_calloc(size_t count, size_t bytes);
extern void *__libc_realloc(void *block, size_t bytes);
extern void __libc_free(void *block);

void *malloc(size_t bytes) { return __libc_malloc(bytes); }
void *calloc(size_t count, size_t bytes) { return __libc_calloc(count, bytes); }
void *realloc(void *block, size_t bytes) { return __libc_realloc(block, bytes); }

static atomic_ulong frees;

unsigned long passing_malloc_frees(void) { return frees; }

void free(void *block) {
    if (block != NULL) frees++;
    __libc_free(block);
}
