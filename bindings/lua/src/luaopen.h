/*
 * luaopen.h - the function that require() looks for in the loadable module (section 6.3, package.searchers).
 *
 * Layer: bindings/lua, top. Thread rule: the thread that runs the state.
 */
#ifndef HAKMEM_LUA_LUAOPEN_H
#define HAKMEM_LUA_LUAOPEN_H

#include <hakmem_lua.h>

HAK_EXPORT int luaopen_hakmem(lua_State *L);

#if HAKMEM_LUA_HAS_CONTROL
/* Of swig/languages/lua.i: pushes a table of the functions that every language has. */
void hak_lua_control_push(lua_State *L);
#endif

#endif
