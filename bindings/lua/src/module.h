/*
 * module.h - the Lua module `hakmem`: hak_lua_module, which hakmem_lua.h declares.
 *
 * Layer: bindings/lua, above swap.h and convert.h. Thread rule: the thread that runs the state.
 */
#ifndef HAKMEM_LUA_MODULE_H
#define HAKMEM_LUA_MODULE_H

#include <hakmem_lua.h>

#endif
