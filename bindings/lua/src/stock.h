/*
 * stock.h - which allocator Lua itself gives a state, so that a host's own one is told from it.
 *
 * Layer: bindings/lua, bottom, beside serve.h. Thread rule: any thread.
 */
#ifndef HAKMEM_LUA_STOCK_H
#define HAKMEM_LUA_STOCK_H

#include <hakmem_lua.h>

/* The allocator of states that luaL_newstate makes: l_alloc of lauxlib, or LuaJIT's own. NULL: it cannot be told, since
 * the program was linked without luaL_newstate, or luaL_newstate makes no state. */
lua_Alloc hak_lua_stock_alloc(void);

#endif
