/*
 * stock.c - reads the allocator off a fresh state of luaL_newstate, once in a process.
 *
 * Layer: bindings/lua, bottom. Lua has no name for that allocator: it is static in lauxlib and in LuaJIT.
 * Thread rule: any thread. Two threads may both make a fresh state; they find the same.
 */
#include "stock.h"

#include <lauxlib.h>
#include <stdatomic.h>

/* NULL in a program that was linked without it, where a strong reference would keep the module from loading. */
#pragma weak luaL_newstate

lua_Alloc hak_lua_stock_alloc(void) {
    static _Atomic(lua_Alloc) known;
    lua_Alloc alloc = atomic_load_explicit(&known, memory_order_relaxed);
    if (alloc != NULL || luaL_newstate == NULL) return alloc;
    lua_State *fresh = luaL_newstate();
    if (fresh == NULL) return NULL;
    void *ud;
    alloc = lua_getallocf(fresh, &ud);
    lua_close(fresh);
    atomic_store_explicit(&known, alloc, memory_order_relaxed);
    return alloc;
}
