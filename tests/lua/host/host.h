/*
 * host.h - what the hosts share: a requirement, and a further state under the allocator of a first one.
 */
#ifndef HOST_H
#define HOST_H

#include <hakmem_lua.h>

#include "../../require.h"

/* NULL: no memory for it. */
static inline lua_State *host_new_state(lua_Alloc allocator, void *ud) {
#if LUA_VERSION_NUM >= 505
    return lua_newstate(allocator, ud, 1);
#else
    return lua_newstate(allocator, ud);
#endif
}

#endif
