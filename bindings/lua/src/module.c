/*
 * module.c - the functions of the Lua module `hakmem`.
 *
 * Layer: bindings/lua, above swap.h and convert.h. Thread rule: the thread that runs the state.
 */
#include "module.h"

#include <lauxlib.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "convert.h"
#include "registry.h"
#include "swap.h"

/* HAKMEM=0 in the environment wins over everything. */
static bool is_switched_off(void) {
    const char *value = getenv("HAKMEM");
    return value != NULL && strcmp(value, "0") == 0;
}

/* The answer of hak_lua_swap_enable. Limits that were kept while the state had no account hold from here on. */
static const char *enable(lua_State *L, bool may_replace) {
    if (is_switched_off()) return NULL;
    bool is_first = hak_lua_state_of(L) == NULL;
    const char *reason = hak_lua_swap_enable(L, may_replace);
    if (!is_first || reason != NULL) return reason;
    hak_heap_stats_t kept = hak_lua_limits_kept(L);
    (void)hak_lua_set_limit(hak_lua_state_of(L), kept.soft_limit_bytes, kept.hard_limit_bytes);
    return NULL;
}

static int module_enable(lua_State *L) {
    const char *reason = enable(L, hak_lua_check_word(L, "enable", "replace"));
    if (reason != NULL) return luaL_error(L, "hakmem: %s", reason);
    lua_pushboolean(L, hak_lua_swap_is_enabled(L));
    return 1;
}

static int module_disable(lua_State *L) {
    if (hak_lua_is_native(L))
        return luaL_error(L, "hakmem: this state was opened on hakmem; there is no other allocator");
    hak_lua_swap_disable(L);
    return 0;
}

static int module_is_enabled(lua_State *L) {
    lua_pushboolean(L, hak_lua_swap_is_enabled(L));
    return 1;
}

/* The account's figures; without an account the kept limits. False: a state that was made with hak_lua_alloc and no
 * `ud`. */
static bool get_figures(lua_State *L, hak_heap_stats_t *stats) {
    const hak_lua_state_t *state = hak_lua_state_of(L);
    if (state != NULL) return hak_lua_stats_get(state, stats) == 0;
    if (hak_lua_is_native(L)) return false;
    *stats = hak_lua_limits_kept(L);
    return true;
}

static int module_stats(lua_State *L) {
    const hak_lua_state_t *state = hak_lua_state_of(L);
    hak_heap_stats_t stats = HAK_HEAP_STATS_INIT;
    /* Read before the tables of the answer are made, as the process's figures are. */
    bool has_figures = get_figures(L, &stats);
    hak_lua_push_stats(L, has_figures ? &stats : NULL, state != NULL && state->is_private);
    return 1;
}

static int module_trim(lua_State *L) {
    hak_lua_push_count(L, serve_trim());
    return 1;
}

static void set_limit(lua_State *L, hak_lua_state_t *state) {
    uint64_t soft = hak_lua_check_bytes(L, 1, "the soft limit");
    uint64_t hard = hak_lua_check_bytes(L, 2, "the hard limit");
    if (state == NULL ? hak_lua_limits_keep(L, soft, hard) : hak_lua_set_limit(state, soft, hard) == 0) return;
    lua_settop(L, 2); /* both are numbers; lua_tostring changes them into strings in their place */
    luaL_error(L, "hakmem: the soft limit %s is above the hard limit %s; give soft <= hard, or 0 for none",
               lua_tostring(L, 1), lua_tostring(L, 2));
}

static int module_limit(lua_State *L) {
    hak_lua_state_t *state = hak_lua_state_of(L);
    if (state == NULL && hak_lua_is_native(L))
        return luaL_error(L, "hakmem: this state has no account to limit; the host opens one with hak_lua_open");
    int count = lua_gettop(L);
    if (count == 2)
        set_limit(L, state);
    else if (count != 0)
        return luaL_error(L, "hakmem: limit takes no argument or both, limit(soft, hard), not %d", count);
    hak_heap_stats_t stats = HAK_HEAP_STATS_INIT;
    (void)get_figures(L, &stats);
    hak_lua_push_count(L, stats.soft_limit_bytes);
    hak_lua_push_count(L, stats.hard_limit_bytes);
    return 2;
}

static int module_options(lua_State *L) {
    hak_lua_push_options(L);
    return 1;
}

static int module_get_option(lua_State *L) {
    lua_settop(L, 1);
    hak_lua_push_option(L, 1);
    return 1;
}

static int module_set_option(lua_State *L) {
    lua_settop(L, 2);
    hak_lua_set_option(L, 1);
    return 0;
}

/* Once in a process, however many states ask for the module: a server may have thousands. */
static void warn(const char *reason) {
    static atomic_flag is_said = ATOMIC_FLAG_INIT;
    if (!atomic_flag_test_and_set(&is_said)) fprintf(stderr, "hakmem: warning: not enabled: %s\n", reason);
}

int hak_lua_module(lua_State *L) {
    static const struct {
        const char *name;
        lua_CFunction function;
    } functions[] = {
        {"enable", module_enable},
        {"disable", module_disable},
        {"is_enabled", module_is_enabled},
        {"stats", module_stats},
        {"trim", module_trim},
        {"limit", module_limit},
        {"options", module_options},
        {"get_option", module_get_option},
        {"set_option", module_set_option},
    };
    lua_settop(L, 0);
    lua_createtable(L, 0, (int)(sizeof functions / sizeof *functions) + 1);
    for (size_t index = 0; index < sizeof functions / sizeof *functions; index++) {
        lua_pushcfunction(L, functions[index].function);
        lua_setfield(L, -2, functions[index].name);
    }
    lua_pushstring(L, serve_version());
    lua_setfield(L, -2, "version");
    const char *reason = enable(L, false);
    if (reason != NULL) warn(reason);
    return 1;
}
