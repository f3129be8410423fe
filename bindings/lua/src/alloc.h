/*
 * alloc.h - making, freeing and resizing a block of a state. Inlined into both allocators: that of a state which hakmem
 * serves from its start (alloc.c), and that of a state which had another one before (swap.c).
 *
 * Layer: bindings/lua, above collect.h. Thread rule: the thread that runs the state. hakmem_lua.h declares
 * hak_lua_alloc.
 */
#ifndef HAKMEM_LUA_ALLOC_H
#define HAKMEM_LUA_ALLOC_H

#include <stdatomic.h>

#include "collect.h"

/* Inlines all callees; with link-time optimisation these include the core's fast paths. */
#define HOT __attribute__((flatten))
#define APART __attribute__((noinline))

/* hak_lua_alloc while a state with a private heap is closed: frees nothing, since the heap then goes as a whole. */
void *hak_lua_alloc_at_end(void *ud, void *block, size_t old_bytes, size_t new_bytes);

/* ---- Sizes that Lua tells ---- */

/* The value of the option `debug`; below 0: not read yet. */
extern _Atomic int hak_lua_debug_level;

/* True, after a report, if `size_bytes` is more than the block has. Reports nothing while the option `debug` is 0. */
bool hak_lua_size_does_not_fit(void *block, size_t size_bytes);

static inline bool sizes_are_checked(void) {
    return UNLIKELY(atomic_load_explicit(&hak_lua_debug_level, memory_order_relaxed) != 0);
}

/* ---- Blocks ---- */

/* Continue a request that the heap has refused: the block, if it was worth asking again, else NULL. */
void *hak_lua_refused_new(void *state, uintptr_t type_tag, size_t size_bytes);
void *hak_lua_refused_resized(hak_lua_state_t *state, void *block, size_t size_bytes);

#if LUA_COLLECTS_WHEN_REFUSED
/* For a new object while wants_collection is set: refused, unless the calling thread has collected for it. */
void *hak_lua_make_due(hak_lua_state_t *state, size_t size_bytes);
#endif

/* `type_tag` is the type of a new object, 0 for everything else. `heap` is NULL if `state` is. */
static inline void *alloc_make(hak_lua_state_t *state, hak_heap_t *heap, size_t type_tag, size_t size_bytes) {
    if (UNLIKELY(size_bytes == 0)) return NULL;
#if LUA_COLLECTS_WHEN_REFUSED
    if (state != NULL && UNLIKELY(state->wants_collection) && type_tag != 0) return hak_lua_make_due(state, size_bytes);
#endif
    if (heap == NULL) return serve_malloc(NULL, size_bytes);
    return serve_malloc_or(heap, size_bytes, hak_lua_refused_new, state, type_tag);
}

static inline void *alloc_resize(hak_lua_state_t *state, hak_heap_t *heap, void *block, size_t old_bytes,
                                 size_t new_bytes) {
    if (sizes_are_checked() && hak_lua_size_does_not_fit(block, old_bytes)) return NULL;
    void *resized = serve_realloc(heap, block, new_bytes);
    return LIKELY(resized != NULL) ? resized : hak_lua_refused_resized(state, block, new_bytes);
}

/* To be called before a free. Lua 5.1 and LuaJIT: the collector runs, so its full cycle may be over. */
static inline void alloc_note_free(hak_lua_state_t *state) {
#if !LUA_COLLECTS_WHEN_REFUSED
    if (state != NULL && UNLIKELY(state->step_multiplier >= 0)) hak_lua_collect_done(state);
#else
    (void)state;
#endif
}

#endif
