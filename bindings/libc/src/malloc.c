/*
 * malloc.c - the functions that allocate and free, with glibc's contract.
 *
 * Layer: bindings/libc, above original.h. Does not tell figures (figures.c). Thread rule: any thread, from the first
 * malloc of the process to the last.
 *
 * The core's fast path is inlined here. A block that is not the core's goes to the C library's own function: the
 * loader made it before this library was there, or the C library of another namespace did (dlmopen).
 */
#include <errno.h>
#include <hakmem.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "interpose.h"
#include "original.h"

/* ---- Allocate ---- */

INTERPOSE void *malloc(size_t size_bytes) { return hak_malloc_align16(size_bytes); }

INTERPOSE void *calloc(size_t count, size_t size_bytes) { return hak_calloc_align16(count, size_bytes); }

INTERPOSE void *realloc(void *block, size_t size_bytes) {
    if (block == NULL) return hak_malloc_align16(size_bytes);
    if (!hak_owns(block)) return original_realloc(block, size_bytes);
    if (size_bytes != 0) return hak_realloc_align16(block, size_bytes);
    hak_free(block);
    return NULL;
}

INTERPOSE void *reallocarray(void *block, size_t count, size_t size_bytes) {
    size_t bytes;
    if (!__builtin_mul_overflow(count, size_bytes, &bytes)) return realloc(block, bytes);
    errno = ENOMEM;
    return NULL;
}

/* ---- Allocate, aligned ---- */

static bool is_power_of_two(size_t number) { return number != 0 && (number & (number - 1)) == 0; }

static void *malloc_aligned(size_t alignment, size_t size_bytes) {
    return alignment <= 16 ? hak_malloc_align16(size_bytes) : hak_aligned_alloc(alignment, size_bytes);
}

/* Any power of two, also one that is no divisor of the size. Errors: EINVAL, as from glibc 2.38 on. */
INTERPOSE void *aligned_alloc(size_t alignment, size_t size_bytes) {
    if (is_power_of_two(alignment)) return malloc_aligned(alignment, size_bytes);
    errno = EINVAL;
    return NULL;
}

/* As glibc's: an alignment that is no power of two is rounded up to one. */
INTERPOSE void *memalign(size_t alignment, size_t size_bytes) {
    size_t rounded = 16;
    while (rounded < alignment && rounded <= SIZE_MAX / 2) rounded *= 2;
    if (rounded >= alignment) return malloc_aligned(rounded, size_bytes);
    errno = EINVAL;
    return NULL;
}

/* As glibc's: errno tells of ENOMEM, too, which many callers look at, and of no other error. */
INTERPOSE int posix_memalign(void **block, size_t alignment, size_t size_bytes) {
    if (!is_power_of_two(alignment) || alignment % sizeof(void *) != 0) return EINVAL;
    void *aligned = malloc_aligned(alignment, size_bytes);
    if (aligned == NULL) return ENOMEM;
    *block = aligned;
    return 0;
}

static size_t os_page_bytes(void) { return (size_t)sysconf(_SC_PAGESIZE); }

INTERPOSE void *valloc(size_t size_bytes) { return malloc_aligned(os_page_bytes(), size_bytes); }

INTERPOSE void *pvalloc(size_t size_bytes) {
    size_t page_bytes = os_page_bytes(), bytes;
    if (!__builtin_add_overflow(size_bytes, page_bytes - 1, &bytes))
        return malloc_aligned(page_bytes, bytes / page_bytes * page_bytes);
    errno = ENOMEM;
    return NULL;
}

/* ---- Free ---- */

static void *free_original(void *unused, void *block) {
    (void)unused;
    if (block != NULL) original_free(block);
    return NULL;
}

INTERPOSE void free(void *block) { (void)hak_free_or(block, free_original, NULL); }

/* The size is checked with the option `debug` alone. */
INTERPOSE void free_sized(void *block, size_t size_bytes) {
    if (hak_owns(block))
        hak_free_sized(block, size_bytes);
    else
        (void)free_original(NULL, block);
}

INTERPOSE void free_aligned_sized(void *block, size_t alignment, size_t size_bytes) {
    (void)alignment;
    free_sized(block, size_bytes);
}

INTERPOSE size_t malloc_usable_size(void *block) {
    if (block == NULL) return 0;
    return hak_owns(block) ? hak_usable_size(block) : original_usable_size(block);
}
