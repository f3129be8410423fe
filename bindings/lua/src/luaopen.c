/*
 * luaopen.c - the function that require() looks for in the loadable module.
 *
 * Layer: bindings/lua, top; not part of the archives, for its name is Lua's choice. Section 6.3, package.searchers.
 * Thread rule: the thread that runs the state.
 */
#include <hakmem_lua.h>

HAK_EXPORT int luaopen_hakmem(lua_State *L);

#if HAKMEM_LUA_HAS_CONTROL
/* Of swig/languages/lua.i: pushes a table of the functions that every language has. */
void hak_lua_control_push(lua_State *L);
#endif

int luaopen_hakmem(lua_State *L) {
    int results = hak_lua_module(L);
#if HAKMEM_LUA_HAS_CONTROL
    hak_lua_control_push(L);
    lua_setfield(L, -2, "control");
#endif
    return results;
}
