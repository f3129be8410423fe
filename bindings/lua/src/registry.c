/*
 * registry.c - what the binding keeps in a state's Lua registry: its account, and limits set while it has none.
 *
 * Layer: bindings/lua, above alloc.h, by whose lua_Alloc a state's account is found first.
 * Thread rule: the thread that runs the state.
 */
#include "registry.h"

#include "alloc.h"

/* ---- From a lua_State to its account ---- */

static char registry_key;

void hak_lua_state_note(lua_State *L, hak_lua_state_t *state) {
    lua_pushlightuserdata(L, &registry_key);
    lua_pushlightuserdata(L, state);
    lua_rawset(L, LUA_REGISTRYINDEX);
}

hak_lua_state_t *hak_lua_state_of(lua_State *L) {
    void *ud;
    if (lua_getallocf(L, &ud) == hak_lua_alloc) return ud;
    if (!lua_checkstack(L, 1)) return NULL;
    lua_pushlightuserdata(L, &registry_key);
    lua_rawget(L, LUA_REGISTRYINDEX);
    ud = lua_touserdata(L, -1);
    lua_pop(L, 1);
    return ud;
}

/* ---- Limits of a state without an account ---- */

typedef struct {
    uint64_t soft_limit_bytes; /* 0: none */
    uint64_t hard_limit_bytes; /* 0: none */
} KeptLimits;

static char kept_limits_key;

/* NULL: none were kept. The Lua registry owns them. */
static KeptLimits *kept_limits(lua_State *L) {
    lua_pushlightuserdata(L, &kept_limits_key);
    lua_rawget(L, LUA_REGISTRYINDEX);
    KeptLimits *limits = lua_touserdata(L, -1);
    lua_pop(L, 1);
    return limits;
}

bool hak_lua_limits_keep(lua_State *L, uint64_t soft_limit_bytes, uint64_t hard_limit_bytes) {
    if (!hak_lua_are_limits(soft_limit_bytes, hard_limit_bytes)) return false;
    KeptLimits *limits = kept_limits(L);
    if (limits == NULL) {
        lua_pushlightuserdata(L, &kept_limits_key);
        limits = lua_newuserdata(L, sizeof *limits);
        lua_rawset(L, LUA_REGISTRYINDEX);
    }
    *limits = (KeptLimits){soft_limit_bytes, hard_limit_bytes};
    return true;
}

hak_heap_stats_t hak_lua_limits_kept(lua_State *L) {
    hak_heap_stats_t stats = HAK_HEAP_STATS_INIT;
    const KeptLimits *limits = kept_limits(L);
    if (limits != NULL) {
        stats.soft_limit_bytes = limits->soft_limit_bytes;
        stats.hard_limit_bytes = limits->hard_limit_bytes;
    }
    return stats;
}
