/*
 * limiter.c - a host whose states have a lua_Alloc of its own with a limit, and a script that asks for the module:
 *
 *     limiter KIND ORIGIN SCRIPT
 *
 * KIND is the state's allocator. "limited": the host's own. "wrapped": the host's own, put above the stock one later.
 * "untold": "limited", and luaL_newstate makes no state in this process. "stock": that of luaL_newstate. "plain":
 * hak_lua_alloc without an account. "opened": that of hak_lua_open, with the limit.
 * ORIGIN is where require "hakmem" finds the module. "linked": in this program. "loaded": on LUA_CPATH.
 *
 * The script has the functions used() and limit(), the bytes of the host's own count. After the state was closed the
 * program prints the count that is left. Exit code 1: the script failed.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <hakmem_lua.h>
#include <lauxlib.h>
#include <lualib.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host.h"

enum { LIMIT_BYTES = 4 << 20 };

static struct {
    size_t used_bytes;
    lua_Alloc previous; /* "wrapped": the stock allocator */
    void *previous_ud;
} account;

static bool is_newstate_refused;

/* In place of Lua's. */
lua_State *luaL_newstate(void) {
    lua_State *(*original)(void);
    *(void **)&original = dlsym(RTLD_NEXT, "luaL_newstate");
    return is_newstate_refused ? NULL : original();
}

static void *serve(void *block, size_t old_bytes, size_t new_bytes) {
    if (account.previous != NULL) return account.previous(account.previous_ud, block, old_bytes, new_bytes);
    if (new_bytes != 0) return realloc(block, new_bytes);
    free(block);
    return NULL;
}

static void *limited_alloc(void *ud, void *block, size_t old_bytes, size_t new_bytes) {
    (void)ud;
    size_t held_bytes = block == NULL ? 0 : old_bytes;
    if (new_bytes > held_bytes && account.used_bytes + new_bytes - held_bytes > LIMIT_BYTES) return NULL;
    void *served = serve(block, old_bytes, new_bytes);
    if (served != NULL || new_bytes == 0) account.used_bytes += new_bytes - held_bytes;
    return served;
}

static lua_State *make_wrapped(void) {
    lua_State *L = luaL_newstate();
    account.previous = lua_getallocf(L, &account.previous_ud);
    account.used_bytes = (size_t)lua_gc(L, LUA_GCCOUNT, 0) * 1024 + (size_t)lua_gc(L, LUA_GCCOUNTB, 0);
    lua_setallocf(L, limited_alloc, NULL);
    return L;
}

static lua_State *make_opened(void) {
    hak_lua_options options = HAK_LUA_OPTIONS_INIT;
    options.hard_limit_bytes = LIMIT_BYTES;
    return hak_lua_open(&options);
}

static lua_State *make(const char *kind) {
    if (strcmp(kind, "stock") == 0) return luaL_newstate();
    if (strcmp(kind, "wrapped") == 0) return make_wrapped();
    if (strcmp(kind, "opened") == 0) return make_opened();
    if (strcmp(kind, "plain") == 0) return host_new_state(hak_lua_alloc, NULL);
    is_newstate_refused = strcmp(kind, "untold") == 0;
    return host_new_state(limited_alloc, NULL);
}

static int push_used(lua_State *L) {
    lua_pushinteger(L, (lua_Integer)account.used_bytes);
    return 1;
}

static int push_limit(lua_State *L) {
    lua_pushinteger(L, LIMIT_BYTES);
    return 1;
}

static void preload_module(lua_State *L) {
    lua_getglobal(L, "package");
    lua_getfield(L, -1, "preload");
    lua_pushcfunction(L, hak_lua_module);
    lua_setfield(L, -2, "hakmem");
    lua_pop(L, 2);
}

int main(int count, char **arguments) {
    lua_State *L = count == 4 ? make(arguments[1]) : NULL;
    if (L == NULL) {
        fprintf(stderr, "usage: limiter KIND ORIGIN SCRIPT\n");
        return 2;
    }
    luaL_openlibs(L);
    lua_register(L, "used", push_used);
    lua_register(L, "limit", push_limit);
    if (strcmp(arguments[2], "linked") == 0) preload_module(L);
    bool has_failed = luaL_loadstring(L, arguments[3]) != 0 || lua_pcall(L, 0, 0, 0) != 0;
    if (has_failed) fprintf(stderr, "limiter: %s\n", lua_tostring(L, -1));
    if (strcmp(arguments[1], "opened") == 0)
        hak_lua_close(L);
    else
        lua_close(L);
    printf("left %zd\n", (ssize_t)account.used_bytes);
    return has_failed;
}
