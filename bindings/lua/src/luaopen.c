/*
 * luaopen.c - the function that require() looks for in the loadable module.
 *
 * Layer: bindings/lua, top; not part of the archives, for its name is Lua's choice. Section 6.3, package.searchers.
 * Thread rule: the thread that runs the state.
 */
#include <hakmem_lua.h>

HAK_EXPORT int luaopen_hakmem(lua_State *L);

int luaopen_hakmem(lua_State *L) { return hak_lua_module(L); }
