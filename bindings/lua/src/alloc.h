/*
 * alloc.h - making, freeing and resizing a block of a state: inlined into the allocator of a state that hakmem serves from
 * its start (state.c) and into that of one that had another before (swap.c).
 *
 * Layer: bindings/lua, above state.h. Thread rule: the thread that runs the state.
 */
#ifndef HAKMEM_LUA_ALLOC_H
#define HAKMEM_LUA_ALLOC_H

#include <stdatomic.h>

#include "state.h"

/* Inlines what it calls, the core's fast paths too where the module is linked with link-time optimisation. */
#define HOT __attribute__((flatten))
#define APART __attribute__((noinline))

/* ---- Sizes that Lua tells ---- */

/* The option `debug`, or below 0 before it was read. */
extern _Atomic int hak_lua_debug_level;

/* True, and reported, where `size_bytes` is more than the block has. */
bool hak_lua_size_does_not_fit(void *block, size_t size_bytes);

static inline bool sizes_are_checked(void) {
    return UNLIKELY(atomic_load_explicit(&hak_lua_debug_level, memory_order_relaxed) != 0);
}

/* ---- Blocks ---- */

/* After a refusal: NULL, or what a second attempt gave. */
void *hak_lua_refused_new(void *state, uintptr_t type_tag, size_t size_bytes);
void *hak_lua_refused_resized(hak_lua_state_t *state, void *block, size_t size_bytes);

/* True once after a request that could not be refused was served beyond the soft limit. */
static inline bool is_object_due(hak_lua_state_t *state, size_t type_tag) {
    if (!LUA_COLLECTS_WHEN_REFUSED || state == NULL || LIKELY(!state->wants_collection) || type_tag == 0) return false;
    state->wants_collection = false;
    return true;
}

/* `type_tag` is the type of a new object, 0 for everything else. A state without a heap is NULL. */
static inline void *alloc_make(hak_lua_state_t *state, hak_heap_t *heap, size_t type_tag, size_t size_bytes) {
    if (UNLIKELY(size_bytes == 0) || is_object_due(state, type_tag)) return NULL;
    if (heap == NULL) return serve_malloc(NULL, size_bytes);
    return serve_malloc_or(heap, size_bytes, hak_lua_refused_new, state, type_tag);
}

static inline void *alloc_resize(hak_lua_state_t *state, hak_heap_t *heap, void *block, size_t old_bytes, size_t new_bytes) {
    if (sizes_are_checked() && hak_lua_size_does_not_fit(block, old_bytes)) return NULL;
    void *resized = serve_realloc(heap, block, new_bytes);
    return LIKELY(resized != NULL) ? resized : hak_lua_refused_resized(state, block, new_bytes);
}

/* Lua 5.1 and LuaJIT: a block is about to be freed, so the collector runs. */
static inline void alloc_note_free(hak_lua_state_t *state) {
#if !LUA_COLLECTS_WHEN_REFUSED
    if (state != NULL && UNLIKELY(state->step_multiplier >= 0)) hak_lua_collect_done(state);
#else
    (void)state;
#endif
}

#endif
