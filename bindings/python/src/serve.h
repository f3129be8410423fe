/*
 * serve.h - the core's function for each of CPython's allocator domains: directly for our own core, else by its
 * table.
 *
 * Layer: bindings/python, bottom. Does not know CPython's allocator table, and does not decide whether hakmem serves
 * a request. Thread rule: any thread, with or without the GIL.
 */
#ifndef HAKMEM_PYTHON_SERVE_H
#define HAKMEM_PYTHON_SERVE_H

#include <hakmem_core.h>
#include <stdbool.h>

/* The core serves sizes up to PTRDIFF_MAX; above it returns NULL, which CPython turns into MemoryError. */

/* obj: aligned to 16; to 8 for up to 8 and for 17 to 24 bytes, since a type with a member aligned to 16 has a size
 * that is a multiple of 16. */
static inline void *serve_object_malloc(size_t size_bytes) { return hak_malloc_object(size_bytes); }
static inline void *serve_object_realloc(void *block, size_t size_bytes) {
    return hak_realloc_object(block, size_bytes);
}

/* mem and raw: aligned as by C's malloc, which they replace. */
static inline void *serve_plain_malloc(size_t size_bytes) { return hak_malloc(size_bytes); }
static inline void *serve_plain_realloc(void *block, size_t size_bytes) { return hak_realloc(block, size_bytes); }

/* Calls foreign_free(NULL, block) for a block that is not our core's, and for NULL. */
static inline void serve_free(void *block, hak_foreign_free *foreign_free) {
    (void)hak_free_or(block, foreign_free, NULL);
}

static inline void *serve_calloc(size_t count, size_t size_bytes) { return hak_calloc(count, size_bytes); }

/* malloc and realloc by the table of `core`; `is_object`: for the obj domain. */
static inline void *serve_table_malloc(const hak_core_t *core, bool is_object, size_t size_bytes) {
    return is_object ? core->malloc_object(size_bytes) : core->malloc(size_bytes);
}
static inline void *serve_table_realloc(const hak_core_t *core, bool is_object, void *block, size_t size_bytes) {
    return is_object ? core->realloc_object(block, size_bytes) : core->realloc(block, size_bytes);
}

#endif
