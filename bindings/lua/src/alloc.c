/*
 * alloc.c - the allocator that Lua calls for a state that hakmem serves from its start.
 *
 * Layer: bindings/lua, above collect.h. Does not open states (open.c) and does not route blocks of other allocators
 * (swap.c). Thread rule: the thread that runs the state.
 */
#include "alloc.h"

/* ---- Sizes that Lua tells ---- */

enum { NOT_READ_YET = -1 };
_Atomic int hak_lua_debug_level = NOT_READ_YET;

__attribute__((cold, noinline)) bool hak_lua_size_does_not_fit(void *block, size_t size_bytes) {
    int level = atomic_load_explicit(&hak_lua_debug_level, memory_order_relaxed);
    if (level == NOT_READ_YET) {
        level = (int)hak_lua_option_number("debug");
        atomic_store_explicit(&hak_lua_debug_level, level, memory_order_relaxed);
    }
    size_t usable_bytes = level == 0 ? 0 : serve_usable_bytes(block);
    if (usable_bytes == 0 || size_bytes <= usable_bytes) return false;
    serve_report_wrong_size(block, size_bytes);
    return true;
}

/* ---- lua_Alloc ---- */

__attribute__((cold, noinline)) void *hak_lua_refused_new(void *context, uintptr_t type_tag, size_t size_bytes) {
    hak_lua_state_t *state = context;
#if LUA_COLLECTS_WHEN_REFUSED
    if (type_tag != 0 && hak_lua_refuse_object(state, size_bytes)) return NULL;
#else
    (void)type_tag;
#endif
    return hak_lua_ask_again(state, NULL, size_bytes);
}

/* Never "an object": the block may be a buffer of lauxlib, and Lua does not collect when such a one cannot grow. */
__attribute__((cold, noinline)) void *hak_lua_refused_resized(hak_lua_state_t *state, void *block, size_t size_bytes) {
    return state == NULL ? NULL : hak_lua_ask_again(state, block, size_bytes);
}

#if LUA_COLLECTS_WHEN_REFUSED
__attribute__((cold, noinline)) void *hak_lua_make_due(hak_lua_state_t *state, size_t size_bytes) {
    if (!hak_lua_refuse_object(state, size_bytes)) return hak_lua_ask_again(state, NULL, size_bytes);
    state->wants_collection = false;
    return NULL;
}
#endif

static APART void *resize(hak_lua_state_t *state, void *block, size_t old_bytes, size_t new_bytes) {
    return alloc_resize(state, state == NULL ? NULL : state->heap, block, old_bytes, new_bytes);
}

static APART void *drop_checked(hak_heap_t *heap, void *block, size_t size_bytes) {
    return hak_lua_size_does_not_fit(block, size_bytes) ? NULL : serve_free(heap, block);
}

HOT void *hak_lua_alloc(void *ud, void *ptr, size_t osize, size_t nsize) {
    hak_lua_state_t *state = ud;
    hak_heap_t *heap = state == NULL ? NULL : state->heap;
    if (state != NULL && heap == NULL) __builtin_unreachable();
    if (ptr == NULL) return alloc_make(state, heap, osize, nsize);
    if (nsize != 0) return resize(state, ptr, osize, nsize);
    alloc_note_free(state);
    return sizes_are_checked() ? drop_checked(heap, ptr, osize) : serve_free(heap, ptr);
}

void *hak_lua_alloc_at_end(void *ud, void *block, size_t old_bytes, size_t new_bytes) {
    return new_bytes == 0 ? NULL : hak_lua_alloc(ud, block, old_bytes, new_bytes);
}
