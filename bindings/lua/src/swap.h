/*
 * swap.h - hakmem under a state that runs already.
 *
 * Layer: bindings/lua, above state.h. Thread rule: the thread that runs the state.
 */
#ifndef HAKMEM_LUA_SWAP_H
#define HAKMEM_LUA_SWAP_H

#include "state.h"

/* Puts hakmem under the state, once; afterwards new blocks are ours again after a disable. May raise a memory error, and
 * then nothing has changed. */
void hak_lua_swap_enable(lua_State *L);

/* New blocks come from the previous allocator; ours stay valid. Nothing where there was no swap. */
void hak_lua_swap_disable(lua_State *L);

/* Are new blocks ours? Also true in states that were made with hak_lua_alloc. */
bool hak_lua_swap_is_enabled(lua_State *L);

/* Was the state made with hak_lua_alloc? Then there is no previous allocator. */
bool hak_lua_is_native(lua_State *L);

#endif
