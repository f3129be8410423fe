/*
 * collect.c - after a refused request: makes Lua collect its garbage, so that the limit fails no program that has some.
 *
 * Layer: bindings/lua, above state.h. Thread rule: the thread that runs the state.
 *
 * The heap refuses one request when the state passes its soft limit.
 *
 * Lua 5.2 and later collect all garbage when a new object is refused, and ask again. Buffers of lauxlib call the
 * allocator themselves and raise at once: such a request is served, and the next new object is refused instead.
 *
 * Lua 5.1 and LuaJIT always raise at once, and cannot collect in the middle of a request. So a soft refusal is
 * served, and the collector is told to begin at its next opportunity (LUA_GCRESTART sets its threshold to the bytes
 * held now) and to run to the end of its cycle (a step multiplier of 0). Both calls are plain assignments. After a
 * refusal at the hard limit, the script may need memory until that opportunity comes: a reserve below the hard limit
 * is opened for it.
 */
#include "collect.h"

/* Has the heap counted a soft refusal since this was last asked? */
static bool was_refused_softly(hak_lua_state_t *state) {
    hak_heap_stats_t stats = HAK_HEAP_STATS_INIT;
    if (serve_heap_stats(state->heap, &stats) != 0 || stats.soft_refusals == state->soft_refusals) return false;
    state->soft_refusals = stats.soft_refusals;
    return true;
}

#if LUA_COLLECTS_WHEN_REFUSED

bool hak_lua_ask_again(hak_lua_state_t *state, bool is_object) {
    if (!was_refused_softly(state) || is_object) return false;
    state->wants_collection = true;
    return true;
}

#else

enum { RUN_TO_THE_END = 0 };

bool hak_lua_ask_again(hak_lua_state_t *state, bool is_object) {
    (void)is_object;
    bool was_soft = was_refused_softly(state);
    if (state->main_thread == NULL) return was_soft;
    int previous = lua_gc(state->main_thread, LUA_GCSETSTEPMUL, RUN_TO_THE_END);
    if (state->step_multiplier < 0) state->step_multiplier = previous;
    (void)lua_gc(state->main_thread, LUA_GCRESTART, 0);
    if (!was_soft && !state->is_reserve_open) {
        state->is_reserve_open = true;
        hak_lua_limits_follow(state);
    }
    return was_soft;
}

void hak_lua_collect_done(hak_lua_state_t *state) {
    hak_heap_stats_t stats = HAK_HEAP_STATS_INIT;
    if (serve_heap_stats(state->heap, &stats) != 0) return;
    if (stats.soft_limit_bytes != 0 && stats.used_bytes > stats.soft_limit_bytes) return;
    (void)lua_gc(state->main_thread, LUA_GCSETSTEPMUL, state->step_multiplier);
    state->step_multiplier = -1;
    if (!state->is_reserve_open) return;
    state->is_reserve_open = false;
    hak_lua_limits_follow(state);
}

#endif
