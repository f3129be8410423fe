/*
 * luaopen.c - the function that require() looks for in the loadable module.
 *
 * Layer: bindings/lua, top. Not part of the archives, whose names all begin with hak_: Lua fixes this one.
 * Thread rule: the thread that runs the state.
 */
#include "luaopen.h"

#include <lauxlib.h>

#include "serve.h"

/* Decides which core serves, before the first request. */
static void attach(lua_State *L) {
    char message[HAK_CORE_MESSAGE_BYTES];
    const hak_core_t *core = hak_core(message, sizeof message);
    if (core == NULL) luaL_error(L, "hakmem: %s", message);
    hak_lua_core = core == hak_published() ? NULL : core;
}

int luaopen_hakmem(lua_State *L) {
    attach(L);
    int results = hak_lua_module(L);
#if HAKMEM_LUA_HAS_CONTROL
    hak_lua_control_push(L);
    lua_setfield(L, -2, "control");
#endif
    return results;
}
