/*
 * collect.h - after a refused request: makes Lua collect its garbage, so that the limit fails no program that has some.
 *
 * Layer: bindings/lua, above state.h. Thread rule: the thread that runs the state.
 */
#ifndef HAKMEM_LUA_COLLECT_H
#define HAKMEM_LUA_COLLECT_H

#include "state.h"

/* To be called when the heap has refused a request. True: ask the heap again, it will serve. `is_object`: the request
 * is for a new object; Lua 5.2 and later collect by themselves when one is refused. */
bool hak_lua_ask_again(hak_lua_state_t *state, bool is_object);

#if !LUA_COLLECTS_WHEN_REFUSED
/* To be called at each free while step_multiplier >= 0. Ends the full cycle once the state is below its soft limit. */
void hak_lua_collect_done(hak_lua_state_t *state);
#endif

#endif
