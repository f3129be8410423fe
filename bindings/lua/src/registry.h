/*
 * registry.h - what the binding keeps in a state's Lua registry: its account, and limits set while it has none.
 *
 * Layer: bindings/lua, above alloc.h. hakmem_lua.h declares hak_lua_state_of. Thread rule: the thread that runs the
 * state.
 */
#ifndef HAKMEM_LUA_REGISTRY_H
#define HAKMEM_LUA_REGISTRY_H

#include "state.h"

/* Notes the account in the registry, where hak_lua_state_of finds it whatever allocator the state has. May raise a
 * memory error, and then the registry is as it was. A NULL account reserves the place: noting one later raises
 * nothing. */
void hak_lua_state_note(lua_State *L, hak_lua_state_t *state);

/* Remembers the limits of a state without an account; nothing enforces them. May raise a memory error. False: soft
 * above hard. */
bool hak_lua_limits_keep(lua_State *L, uint64_t soft_limit_bytes, uint64_t hard_limit_bytes);

/* The limits that were kept, 0 for none; all other figures are 0. */
hak_heap_stats_t hak_lua_limits_kept(lua_State *L);

#endif
