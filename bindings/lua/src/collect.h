/*
 * collect.h - after a refused request: makes Lua collect its garbage, so that the limit fails no program that has some.
 *
 * Layer: bindings/lua, above state.h. Thread rule: the thread that runs the state.
 */
#ifndef HAKMEM_LUA_COLLECT_H
#define HAKMEM_LUA_COLLECT_H

#include "state.h"

/* To be called when the heap has refused a request; `block` NULL: for a new one. Asks the heap once more, unless the
 * hard limit was met. NULL: refused for good. */
void *hak_lua_ask_again(hak_lua_state_t *state, void *block, size_t size_bytes);

#if LUA_COLLECTS_WHEN_REFUSED
/* To be called before a new object is refused. True: refuse it, and Lua collects and asks again. False: it has
 * just done so for this thread, or cannot now. */
bool hak_lua_refuse_object(hak_lua_state_t *state, size_t size_bytes);
#endif

#if !LUA_COLLECTS_WHEN_REFUSED
/* To be called at each free while step_multiplier >= 0. Ends the full cycle once the state is below its soft limit. */
void hak_lua_collect_done(hak_lua_state_t *state);
#endif

#endif
