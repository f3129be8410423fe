/*
 * collect.c - Lua 5.1 and LuaJIT: what takes the place of the emergency collection that later versions run by themselves.
 *
 * Layer: bindings/lua. There a refused request raises at once, and nothing can be collected in the middle of it. What can
 * be done there is to tell the collector to begin at its next opportunity (LUA_GCRESTART sets its threshold to what is
 * held now) and to run to the end of its cycle (a step multiplier of 0); both are plain assignments.
 * Thread rule: the thread that runs the state.
 */
#include "state.h"

#if LUA_COLLECTS_WHEN_REFUSED

bool hak_lua_collect_soon(hak_lua_state_t *state) { return (void)state, false; }
void hak_lua_collect_done(hak_lua_state_t *state) { (void)state; }

#else

enum { RUN_TO_THE_END = 0 };

bool hak_lua_collect_soon(hak_lua_state_t *state) {
    hak_heap_stats_t stats = HAK_HEAP_STATS_INIT;
    if (serve_heap_stats(state->heap, &stats) != 0) return false;
    bool was_soft = stats.soft_refusals != state->soft_refusals;
    state->soft_refusals = stats.soft_refusals;
    if (state->main_thread == NULL) return was_soft;
    int previous = lua_gc(state->main_thread, LUA_GCSETSTEPMUL, RUN_TO_THE_END);
    if (state->step_multiplier < 0) state->step_multiplier = previous;
    (void)lua_gc(state->main_thread, LUA_GCRESTART, 0);
    return was_soft;
}

void hak_lua_collect_done(hak_lua_state_t *state) {
    hak_heap_stats_t stats = HAK_HEAP_STATS_INIT;
    if (serve_heap_stats(state->heap, &stats) != 0) return;
    if (stats.soft_limit_bytes != 0 && stats.used_bytes > stats.soft_limit_bytes) return;
    (void)lua_gc(state->main_thread, LUA_GCSETSTEPMUL, state->step_multiplier);
    state->step_multiplier = -1;
}

#endif
