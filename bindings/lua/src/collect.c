/*
 * collect.c - after a refused request: makes Lua collect its garbage, so that the limit fails no program that has some.
 *
 * Layer: bindings/lua, above state.h. Thread rule: the thread that runs the state.
 *
 * The heap refuses one request when the state passes its soft limit.
 *
 * Lua 5.2 and later collect all garbage when a new object is refused, and ask again. The soft limit may be armed again
 * by then, by what was collected or by a state of another thread, and refuse the object a second time: each thread
 * notes that it collects, and such a request is served. So are a few KiB after it: lua_newstate gives up at a refusal
 * and frees all that it has, which arms the soft limit again, and the next attempt has to come through. Buffers of
 * lauxlib call the allocator themselves and raise at once: such a request is served, and the next new object is refused
 * instead.
 *
 * Lua 5.1 and LuaJIT always raise at once, and cannot collect in the middle of a request. So a soft refusal is
 * served, and the collector is told to begin at its next opportunity (LUA_GCRESTART sets its threshold to the bytes
 * held now) and to run to the end of its cycle (a step multiplier of 0). Both calls are plain assignments. After a
 * refusal at the hard limit, the script may need memory until that opportunity comes: a reserve below the hard limit
 * is opened for it.
 */
#include "collect.h"

#if LUA_COLLECTS_WHEN_REFUSED

/* The state whose object this thread has refused last; NULL once it has served so many bytes of others instead of
 * refusing them. It is compared, and never read: it may be closed. */
static _Thread_local const hak_lua_state_t *collected_for;
static _Thread_local size_t served_instead_bytes;

enum { SERVED_INSTEAD_BYTES_MAX = 8192 }; /* more than lua_newstate asks for: 5,144 bytes in Lua 5.4 */

/* Lua 5.2 raises at once while the script has stopped the collector. */
static bool collects(const hak_lua_state_t *state) {
#if LUA_VERSION_NUM == 502
    return state->main_thread == NULL || lua_gc(state->main_thread, LUA_GCISRUNNING, 0) != 0;
#else
    (void)state;
    return true;
#endif
}

bool hak_lua_refuse_object(hak_lua_state_t *state, size_t size_bytes) {
    if (!collects(state)) return false;
    if (collected_for != state) {
        collected_for = state;
        served_instead_bytes = 0;
        return true;
    }
    served_instead_bytes += size_bytes < SERVED_INSTEAD_BYTES_MAX ? size_bytes : SERVED_INSTEAD_BYTES_MAX;
    if (served_instead_bytes >= SERVED_INSTEAD_BYTES_MAX) collected_for = NULL;
    return false;
}

static hak_heap_stats_t stats_of(const hak_lua_state_t *state) {
    hak_heap_stats_t stats = HAK_HEAP_STATS_INIT;
    (void)serve_heap_stats(state->heap, &stats);
    return stats;
}

/* Each round is a refusal at the soft limit, which another thread has armed again meanwhile. */
void *hak_lua_ask_again(hak_lua_state_t *state, void *block, size_t size_bytes) {
    hak_heap_stats_t before, after = stats_of(state);
    uint64_t held_bytes = after.used_bytes - (block == NULL ? 0 : serve_usable_bytes(block));
    if (after.hard_limit_bytes != 0 && held_bytes + size_bytes > after.hard_limit_bytes) return NULL;
    void *served;
    do {
        before = after;
        served = serve_resize(state->heap, block, size_bytes);
        after = stats_of(state);
    } while (served == NULL && after.soft_refusals != before.soft_refusals);
    if (served != NULL) state->wants_collection = true;
    return served;
}

#else

enum { RUN_TO_THE_END = 0 };

/* Has the heap counted a soft refusal since this was last asked? */
static bool was_refused_softly(hak_lua_state_t *state) {
    hak_heap_stats_t stats = HAK_HEAP_STATS_INIT;
    if (serve_heap_stats(state->heap, &stats) != 0 || stats.soft_refusals == state->soft_refusals) return false;
    state->soft_refusals = stats.soft_refusals;
    return true;
}

static void begin_collection(hak_lua_state_t *state, bool was_soft) {
    int previous = lua_gc(state->main_thread, LUA_GCSETSTEPMUL, RUN_TO_THE_END);
    if (state->step_multiplier < 0) state->step_multiplier = previous;
    (void)lua_gc(state->main_thread, LUA_GCRESTART, 0);
    if (!was_soft && !state->is_reserve_open) {
        state->is_reserve_open = true;
        hak_lua_limits_follow(state);
    }
}

void *hak_lua_ask_again(hak_lua_state_t *state, void *block, size_t size_bytes) {
    bool was_soft = was_refused_softly(state);
    if (state->main_thread != NULL) begin_collection(state, was_soft);
    return was_soft ? serve_resize(state->heap, block, size_bytes) : NULL;
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
