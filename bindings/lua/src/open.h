/*
 * open.h - opens and closes a state whose memory is hakmem's: hak_lua_open and hak_lua_close, which hakmem_lua.h
 * declares.
 *
 * Layer: bindings/lua, above registry.h. Thread rule: as hakmem_lua.h says.
 */
#ifndef HAKMEM_LUA_OPEN_H
#define HAKMEM_LUA_OPEN_H

#include <hakmem_lua.h>

#endif
