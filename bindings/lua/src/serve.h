/*
 * serve.h - every call of the Lua binding into the core.
 *
 * Layer: bindings/lua, bottom: the one place to change when the core is to be reached in another way. Knows no Lua.
 * Thread rule: any thread; a heap is used by one thread at a time.
 */
#ifndef HAKMEM_LUA_SERVE_H
#define HAKMEM_LUA_SERVE_H

#include <hakmem_core.h>
#include <stdbool.h>

/* The core that another binding, or the program, brought before the module did (luaopen.c looks for it); NULL: the
 * module's own serves. A host that links the archive uses the core that it is linked with: there HAKMEM_LUA_ATTACHES
 * is 0, and the compiler drops the other way. */
extern const hak_core_t *hak_lua_core;
#define SERVE_IS_ATTACHED (HAKMEM_LUA_ATTACHES && __builtin_expect(hak_lua_core != NULL, 0))
#define CORE(name, ...) (SERVE_IS_ATTACHED ? hak_lua_core->name(__VA_ARGS__) : hak_##name(__VA_ARGS__))

/* ---- Blocks, all aligned to 8 ---- */

/* hak_lua_table_*: by the other core's table. Not inlined: the way to the own core has one test more, and no code. */
void *hak_lua_table_malloc(hak_heap_t *heap, size_t size_bytes);
void *hak_lua_table_realloc(hak_heap_t *heap, void *block, size_t size_bytes);
void *hak_lua_table_free(hak_heap_t *heap, void *block);

static inline void *serve_malloc(hak_heap_t *heap, size_t size_bytes) {
    if (SERVE_IS_ATTACHED) return hak_lua_table_malloc(heap, size_bytes);
    return heap == NULL ? hak_malloc_align8(size_bytes) : hak_heap_malloc(heap, size_bytes);
}

/* A request that is refused: the answer is refused(context, word, size_bytes). */
void *hak_lua_table_malloc_or(hak_heap_t *heap, size_t size_bytes, hak_refused *refused, void *context, uintptr_t word);

static inline void *serve_malloc_or(hak_heap_t *heap, size_t size_bytes, hak_refused *refused, void *context,
                                    uintptr_t word) {
    if (SERVE_IS_ATTACHED) return hak_lua_table_malloc_or(heap, size_bytes, refused, context, word);
    return hak_heap_malloc_or(heap, size_bytes, refused, context, word);
}

static inline void *serve_realloc(hak_heap_t *heap, void *block, size_t size_bytes) {
    if (SERVE_IS_ATTACHED) return hak_lua_table_realloc(heap, block, size_bytes);
    return heap == NULL ? hak_realloc_align8(block, size_bytes) : hak_heap_realloc(heap, block, size_bytes);
}

/* `block` NULL: a new one. */
static inline void *serve_resize(hak_heap_t *heap, void *block, size_t size_bytes) {
    return block == NULL ? serve_malloc(heap, size_bytes) : serve_realloc(heap, block, size_bytes);
}

/* Report a block that is not hakmem's. The answer is NULL, as that of a lua_Alloc that frees, which can tail-call. */
void *hak_lua_report_foreign(void *heap, void *block);
void *hak_lua_report_foreign_sized(void *heap, void *block, size_t size_bytes);

static inline void *serve_free(hak_heap_t *heap, void *block) {
    if (SERVE_IS_ATTACHED) return hak_lua_table_free(heap, block);
    if (heap == NULL) return hak_free_or(block, hak_lua_report_foreign, NULL);
    return hak_heap_free_or(heap, block, 0, hak_lua_report_foreign_sized, heap);
}

/* A block that is not hakmem's: the answer is foreign_free(context, block, size_bytes). */
void *hak_lua_table_free_or(hak_heap_t *heap, void *block, size_t size_bytes, hak_foreign_free_sized *foreign_free,
                            void *context);

static inline void *serve_free_or(hak_heap_t *heap, void *block, size_t size_bytes,
                                  hak_foreign_free_sized *foreign_free, void *context) {
    if (SERVE_IS_ATTACHED) return hak_lua_table_free_or(heap, block, size_bytes, foreign_free, context);
    return hak_heap_free_or(heap, block, size_bytes, foreign_free, context);
}

static inline bool serve_owns(const void *address) { return CORE(owns, address) != 0; }
static inline size_t serve_usable_bytes(const void *block) { return CORE(usable_size, block); }

/* Reports a size that does not fit the block, which stays as it is. The option `debug` must be 1 or more. */
static inline void serve_report_wrong_size(void *block, size_t size_bytes) { CORE(free_sized, block, size_bytes); }

static inline void serve_note_passed(size_t size_bytes) { CORE(stats_passed, size_bytes); }

/* The binding's own structs: zeroed, in no state's account. */
static inline void *serve_own_malloc(size_t size_bytes) { return CORE(calloc, 1, size_bytes); }
static inline void serve_own_free(void *block) { CORE(free, block); }

/* ---- Heaps ---- */

static inline hak_heap_t *serve_heap_new(const hak_heap_options_t *options) { return CORE(heap_new, options); }
static inline void serve_heap_destroy(hak_heap_t *heap) { CORE(heap_destroy, heap); }
static inline int serve_heap_stats(const hak_heap_t *heap, hak_heap_stats_t *stats) {
    return CORE(heap_stats_get, heap, stats);
}
static inline int serve_heap_limit(hak_heap_t *heap, uint64_t soft_limit_bytes, uint64_t hard_limit_bytes) {
    return CORE(heap_set_limit, heap, soft_limit_bytes, hard_limit_bytes);
}

/* ---- Control ---- */

static inline size_t serve_trim(void) { return CORE(trim); }
static inline int serve_option_get(const char *name, char *value, size_t value_bytes) {
    return CORE(option_get, name, value, value_bytes);
}
static inline const char *serve_version(void) {
    return SERVE_IS_ATTACHED ? hak_lua_core->library_version : hak_version();
}

/* The value of an option that is an integer or a choice among integers. */
long hak_lua_option_number(const char *name);

#endif
