/*
 * swap.c - the allocator of a state that had another one before: tells both kinds of blocks apart by their addresses.
 *
 * Layer: bindings/lua, above registry.h. Thread rule: the thread that runs the state.
 *
 * The allocator's `ud` is the state's account, which holds the previous allocator: each state has its own. A swap is
 * never undone, since the previous allocator does not know hakmem's blocks.
 *
 * Lua tells the size of every block, so a block can move when it grows: from the previous allocator to hakmem, and
 * while hakmem is disabled the other way. A block that shrinks stays where it is, since shrinking must not fail.
 */
#include "swap.h"

#include <lauxlib.h>
#include <string.h>

#include "alloc.h"
#include "registry.h"
#include "stock.h"

static APART void *previous_call(hak_lua_state_t *state, void *block, size_t old_bytes, size_t new_bytes) {
    if (new_bytes != 0) serve_note_passed(new_bytes);
    return state->previous(state->previous_ud, block, old_bytes, new_bytes);
}

/* Lua makes the block that holds the main thread first, and frees it last. */
static bool is_last_block(const hak_lua_state_t *state, const void *block, size_t size_bytes) {
    return state->main_thread != NULL && (uintptr_t)state->main_thread - (uintptr_t)block < size_bytes;
}

static APART void *resize_previous(hak_lua_state_t *state, void *block, size_t old_bytes, size_t new_bytes) {
    if (new_bytes == 0) {
        bool is_last = is_last_block(state, block, old_bytes);
        (void)previous_call(state, block, old_bytes, 0);
        if (is_last) hak_lua_state_free(state);
        return NULL;
    }
    if (new_bytes <= old_bytes || !state->is_serving) return previous_call(state, block, old_bytes, new_bytes);
    void *moved = hak_lua_alloc(state, NULL, 0, new_bytes);
    if (moved == NULL) return NULL;
    memcpy(moved, block, old_bytes);
    (void)previous_call(state, block, old_bytes, 0);
    return moved;
}

static APART void *move_to_previous(hak_lua_state_t *state, void *block, size_t old_bytes, size_t new_bytes) {
    void *moved = previous_call(state, NULL, 0, new_bytes);
    if (moved == NULL) return NULL;
    memcpy(moved, block, old_bytes);
    (void)hak_lua_alloc(state, block, old_bytes, 0);
    return moved;
}

static void *drop_previous(void *state, void *block, size_t old_bytes) {
    return resize_previous(state, block, old_bytes, 0);
}

static APART void *resize(hak_lua_state_t *state, void *block, size_t old_bytes, size_t new_bytes) {
    if (UNLIKELY(!serve_owns(block))) return resize_previous(state, block, old_bytes, new_bytes);
    if (UNLIKELY(!state->is_serving) && new_bytes > old_bytes)
        return move_to_previous(state, block, old_bytes, new_bytes);
    return alloc_resize(state, state->heap, block, old_bytes, new_bytes);
}

static APART void *drop_checked(hak_lua_state_t *state, void *block, size_t size_bytes) {
    if (hak_lua_size_does_not_fit(block, size_bytes)) return NULL;
    return serve_free_or(state->heap, block, size_bytes, drop_previous, state);
}

/* make, drop and resize are separate functions, so that none saves registers which only another one needs. */

static APART HOT void *make(hak_lua_state_t *state, size_t type_tag, size_t size_bytes) {
    if (UNLIKELY(!state->is_serving)) return previous_call(state, NULL, type_tag, size_bytes);
    hak_heap_t *heap = state->heap;
    if (heap == NULL) __builtin_unreachable();
    return alloc_make(state, heap, type_tag, size_bytes);
}

static APART HOT void *drop(hak_lua_state_t *state, void *block, size_t size_bytes) {
    alloc_note_free(state); /* before the free, since the account ends with the last block */
    if (sizes_are_checked()) return drop_checked(state, block, size_bytes);
    return serve_free_or(state->heap, block, size_bytes, drop_previous, state);
}

static void *swap_alloc(void *ud, void *block, size_t old_bytes, size_t new_bytes) {
    hak_lua_state_t *state = ud;
    if (block == NULL) return make(state, old_bytes, new_bytes);
    return new_bytes == 0 ? drop(state, block, old_bytes) : resize(state, block, old_bytes, new_bytes);
}

/* ---- In and out ---- */

static lua_State *main_thread_of(lua_State *L) {
#if LUA_VERSION_NUM >= 502
    lua_rawgeti(L, LUA_REGISTRYINDEX, LUA_RIDX_MAINTHREAD);
    lua_State *main_thread = lua_tothread(L, -1);
#else
    lua_State *main_thread = lua_pushthread(L) ? L : NULL; /* NULL in a coroutine: the account is then never freed */
#endif
    lua_pop(L, 1);
    return main_thread;
}

static void start_serving(hak_lua_state_t *state) {
    state->is_enabled = true;
    state->is_serving = hak_lua_option_number("tiny_use_superslab") != 0;
}

static void install(lua_State *L) {
    hak_lua_state_note(L, NULL); /* may raise; the same call below finds the place and raises nothing */
    hak_lua_state_t *state = hak_lua_state_new(NULL);
    if (state == NULL) luaL_error(L, "hakmem: no memory for the account of this state");
    state->main_thread = main_thread_of(L);
    state->previous = lua_getallocf(L, &state->previous_ud);
    start_serving(state);
    hak_lua_state_note(L, state);
    lua_setallocf(L, swap_alloc, state);
}

bool hak_lua_is_native(lua_State *L) {
    hak_lua_state_t *state = hak_lua_state_of(L);
    void *ud;
    return state == NULL ? lua_getallocf(L, &ud) == hak_lua_alloc : state->previous == NULL;
}

#define REMEDY "; hakmem.enable(\"replace\") puts hakmem in its place"

/* NULL: the state's allocator is the stock one. Else why hakmem does not take its place unasked. */
static const char *reason_to_keep(lua_State *L) {
    void *ud;
    lua_Alloc stock = hak_lua_stock_alloc();
    if (stock == NULL)
        return "whether this state's allocator is its host's own cannot be told, since luaL_newstate makes no state "
               "here" REMEDY;
    if (lua_getallocf(L, &ud) == stock) return NULL;
    return "the host gave this state an allocator of its own, which may limit its memory" REMEDY;
}

const char *hak_lua_swap_enable(lua_State *L, bool may_replace) {
    if (hak_lua_is_native(L)) return NULL;
    hak_lua_state_t *state = hak_lua_state_of(L);
    if (state != NULL) {
        start_serving(state);
        return NULL;
    }
    const char *reason = may_replace ? NULL : reason_to_keep(L);
    if (reason == NULL) install(L);
    return reason;
}

void hak_lua_swap_disable(lua_State *L) {
    hak_lua_state_t *state = hak_lua_state_of(L);
    if (!hak_lua_is_native(L) && state != NULL) state->is_enabled = state->is_serving = false;
}

bool hak_lua_swap_is_enabled(lua_State *L) {
    if (hak_lua_is_native(L)) return true;
    hak_lua_state_t *state = hak_lua_state_of(L);
    return state != NULL && state->is_enabled;
}
