/*
 * swap.h - puts hakmem under a state that runs already.
 *
 * Layer: bindings/lua, above registry.h. Thread rule: the thread that runs the state.
 */
#ifndef HAKMEM_LUA_SWAP_H
#define HAKMEM_LUA_SWAP_H

#include "state.h"

/* New blocks come from hakmem. The first call swaps the allocator; a call after a disable undoes the disable. May
 * raise a memory error, and then nothing has changed.
 *
 * NULL: done. Else one line that says why not, and nothing has changed: the state's allocator is not the stock one, so
 * its host may limit the state with it, and `may_replace` is false. */
const char *hak_lua_swap_enable(lua_State *L, bool may_replace);

/* New blocks come from the previous allocator; blocks of hakmem stay valid. Does nothing if there was no swap. */
void hak_lua_swap_disable(lua_State *L);

/* Do new blocks come from hakmem? Always true in a state that was made with hak_lua_alloc. */
bool hak_lua_swap_is_enabled(lua_State *L);

/* Was the state made with hak_lua_alloc? Then it has no previous allocator. */
bool hak_lua_is_native(lua_State *L);

#endif
