/*
 * open.c - opens and closes a state whose memory is hakmem's: luaL_newstate and lua_close with another allocator.
 *
 * Layer: bindings/lua, above registry.h. Thread rule: as hakmem_lua.h says.
 */
#include "open.h"

#include <errno.h>
#include <lauxlib.h>
#include <lualib.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "alloc.h"
#include "registry.h"

/* The main thread of the private state that was closed last: its memory is gone, so a second close must not read it.
 * Stored before the memory goes; NULL again once a new state lies at the same address. */
static _Atomic(lua_State *) last_private;

/* Lua calls it, and then ends the process, after an error outside of any protected call (section 4.4). */
static int panic(lua_State *L) {
    const char *message = lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1) : "error object is not a string";
    fprintf(stderr, "PANIC: unprotected error in call to Lua API (%s)\n", message);
    fflush(stderr);
    return 0;
}

#if LUA_VERSION_NUM >= 504
/* Writes warnings as the stock interpreter does: none until the script says warn("@on") (section 6.1, warn). */
static void warn(void *ud, const char *message, int to_be_continued) {
    hak_lua_state_t *state = ud;
    bool is_first = !state->is_warning_continued;
    state->is_warning_continued = to_be_continued != 0;
    if (is_first && !to_be_continued && message[0] == '@') {
        if (strcmp(message, "@on") == 0) state->is_warning_on = true;
        if (strcmp(message, "@off") == 0) state->is_warning_on = false;
        return;
    }
    if (!state->is_warning_on) return;
    fprintf(stderr, "%s%s%s", is_first ? "Lua warning: " : "", message, to_be_continued ? "" : "\n");
}
#endif

static lua_State *new_state(hak_lua_state_t *state) {
#if LUA_VERSION_NUM >= 505
    return lua_newstate(hak_lua_alloc, state, luaL_makeseed(NULL));
#else
    return lua_newstate(hak_lua_alloc, state);
#endif
}

/* Called by lua_pcall or lua_cpcall. */
static int open_libraries(lua_State *L) {
    hak_lua_state_t *state = lua_touserdata(L, 1);
    hak_lua_state_note(L, state);
    luaL_openlibs(L);
    return 0;
}

static int call_open_libraries(lua_State *L, hak_lua_state_t *state) {
#if LUA_VERSION_NUM >= 502
    lua_pushcfunction(L, open_libraries); /* from Lua 5.2 on it needs no memory */
    lua_pushlightuserdata(L, state);
    return lua_pcall(L, 1, 0, 0);
#else
    return lua_cpcall(L, open_libraries, state);
#endif
}

static uint64_t sum_or_none(uint64_t hard_limit_bytes, uint64_t grace_bytes) {
    if (hard_limit_bytes == 0 || hard_limit_bytes > UINT64_MAX - grace_bytes) return 0;
    return hard_limit_bytes + grace_bytes;
}

lua_State *hak_lua_open(const hak_lua_options *options) {
    hak_lua_state_t *state = hak_lua_state_new(options);
    if (state == NULL) return NULL;
    static const hak_lua_options defaults = HAK_LUA_OPTIONS_INIT;
    if (options == NULL) options = &defaults;
    uint64_t grace_bytes = options->grace_bytes == 0 ? HAK_LUA_GRACE_BYTES : options->grace_bytes;
    (void)hak_lua_set_limit(state, 0, 0); /* LuaJIT's lua_newstate crashes when a request is refused */
    lua_State *L = new_state(state);
    if (L != NULL) {
        state->main_thread = L;
        lua_State *former = L;
        (void)atomic_compare_exchange_strong(&last_private, &former, NULL);
        (void)lua_atpanic(L, panic);
#if LUA_VERSION_NUM >= 504
        lua_setwarnf(L, warn, state);
#endif
        (void)hak_lua_set_limit(state, 0, sum_or_none(options->hard_limit_bytes, grace_bytes));
        if (call_open_libraries(L, state) == 0) {
            (void)hak_lua_set_limit(state, options->soft_limit_bytes, options->hard_limit_bytes);
            return L;
        }
        lua_close(L);
    }
    hak_lua_state_free(state);
    errno = ENOMEM;
    return NULL;
}

void hak_lua_close(lua_State *L) {
    if (L == NULL) return;
    if (L == atomic_load(&last_private)) hak_lua_report_closed(L, "hak_lua_close");
    hak_lua_state_t *state = hak_lua_state_of(L);
    if (state != NULL) hak_lua_state_check(state, "hak_lua_close");
    if (state != NULL && state->is_private) {
        void *ud;
        if (lua_getallocf(L, &ud) == hak_lua_alloc) lua_setallocf(L, hak_lua_alloc_at_end, state);
    }
    bool is_swap = state != NULL && state->previous != NULL; /* swap.c frees its account with the state's last block */
    lua_State *closed_private = state != NULL && state->is_private ? state->main_thread : NULL;
    lua_close(L);
    if (closed_private != NULL) atomic_store(&last_private, closed_private);
    if (!is_swap) hak_lua_state_free(state);
}
