/*
 * serve.h - which function of a core serves which allocator domain: of our own, directly, or of another, by its table.
 *
 * Layer: bindings/python, bottom: the one place to change when blocks are to come from another heap. Does not know
 * CPython's allocator table and does not decide whether a request is ours.
 * Thread rule: any thread, with or without the GIL.
 */
#ifndef HAKMEM_PYTHON_SERVE_H
#define HAKMEM_PYTHON_SERVE_H

#include <hakmem_core.h>
#include <stdbool.h>

/* There is no size limit: the core takes every size, and those above PTRDIFF_MAX give NULL, which CPython turns into
 * MemoryError. */

/* obj: sizes up to 8 and 17 to 24 may lie on 8, because a type with a 16-aligned member has a size that is a multiple
 * of 16 and does not fit beside the object header. */
static inline void *serve_object_malloc(size_t size_bytes) { return hak_malloc_object(size_bytes); }
static inline void *serve_object_realloc(void *block, size_t size_bytes) {
    return hak_realloc_object(block, size_bytes);
}

/* mem and raw: aligned as C's malloc. */
static inline void *serve_plain_malloc(size_t size_bytes) { return hak_malloc(size_bytes); }
static inline void *serve_plain_realloc(void *block, size_t size_bytes) { return hak_realloc(block, size_bytes); }

/* A foreign block, and NULL, goes to `foreign_free`. */
static inline void serve_free(void *block, hak_foreign_free *foreign_free) {
    (void)hak_free_or(block, foreign_free, NULL);
}

static inline void *serve_calloc(size_t count, size_t size_bytes) { return hak_calloc(count, size_bytes); }

/* The same through a table. */
static inline void *serve_table_malloc(const hak_core_t *core, bool is_object, size_t size_bytes) {
    return is_object ? core->malloc_object(size_bytes) : core->malloc(size_bytes);
}
static inline void *serve_table_realloc(const hak_core_t *core, bool is_object, void *block, size_t size_bytes) {
    return is_object ? core->realloc_object(block, size_bytes) : core->realloc(block, size_bytes);
}

#endif
