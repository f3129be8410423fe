/*
 * serve.h - every call of the Lua binding into the core.
 *
 * Layer: bindings/lua, bottom: the one place to change when the core is to be reached in another way. Knows no Lua.
 * Thread rule: any thread; a heap is used by one thread at a time.
 */
#ifndef HAKMEM_LUA_SERVE_H
#define HAKMEM_LUA_SERVE_H

#include <hakmem.h>
#include <stdbool.h>

/* ---- Blocks: Lua's lie on 8 ---- */

static inline void *serve_malloc(hak_heap_t *heap, size_t size_bytes) {
    return heap == NULL ? hak_malloc_align8(size_bytes) : hak_heap_malloc(heap, size_bytes);
}

static inline void *serve_realloc(hak_heap_t *heap, void *block, size_t size_bytes) {
    return heap == NULL ? hak_realloc_align8(block, size_bytes) : hak_heap_realloc(heap, block, size_bytes);
}

/* `size_bytes` is what was asked for. */
static inline void serve_free(hak_heap_t *heap, void *block, size_t size_bytes) {
    if (heap == NULL)
        hak_free_sized(block, size_bytes);
    else
        hak_heap_free(heap, block);
}

static inline bool serve_owns(const void *address) { return hak_owns(address) != 0; }
static inline size_t serve_usable_bytes(const void *block) { return hak_usable_size(block); }

/* Only where a size does not fit: with debug checks on, the core reports it and leaves the block alone. */
static inline void serve_report_wrong_size(void *block, size_t size_bytes) { hak_free_sized(block, size_bytes); }

static inline void serve_note_passed(size_t size_bytes) { hak_stats_passed(size_bytes); }

/* What the binding needs for itself. */
static inline void *serve_own_malloc(size_t size_bytes) { return hak_calloc(1, size_bytes); }
static inline void serve_own_free(void *block) { hak_free(block); }

/* ---- Heaps ---- */

static inline hak_heap_t *serve_heap_new(const hak_heap_options_t *options) { return hak_heap_new(options); }
static inline void serve_heap_destroy(hak_heap_t *heap) { hak_heap_destroy(heap); }
static inline int serve_heap_stats(const hak_heap_t *heap, hak_heap_stats_t *stats) {
    return hak_heap_stats_get(heap, stats);
}
static inline int serve_heap_limit(hak_heap_t *heap, uint64_t soft_limit_bytes, uint64_t hard_limit_bytes) {
    return hak_heap_set_limit(heap, soft_limit_bytes, hard_limit_bytes);
}

/* ---- Control ---- */

static inline size_t serve_trim(void) { return hak_trim(); }
static inline int serve_stats(hak_stats_t *stats) { return hak_stats_get(stats); }
static inline size_t serve_classes(hak_class_stats_t *rows, size_t capacity) { return hak_stats_classes(rows, capacity); }
static inline const char *serve_counter(size_t index, uint64_t *value) { return hak_stats_counter(index, value); }
static inline const hak_option_info_t *serve_option_info(size_t index) { return hak_option_info(index); }
static inline int serve_option_get(const char *name, char *value, size_t value_bytes) {
    return hak_option_get(name, value, value_bytes);
}
static inline int serve_option_set(const char *name, const char *value, char *message, size_t message_bytes) {
    return hak_option_set(name, value, message, message_bytes);
}
static inline const char *serve_version(void) { return hak_version(); }

/* An option that is an integer or a choice among integers. */
long hak_lua_option_number(const char *name);

#endif
