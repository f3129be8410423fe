/*
 * host.c - runs a script in a state that a C host opened: what the account of a state costs.
 *
 *     host stock|plain|account|private SCRIPT [ARGUMENTS...]
 *
 * stock: luaL_newstate. plain: hak_lua_alloc with a NULL ud. account and private: hak_lua_open, with a limit that is
 * far.
 */
#include <hakmem_lua.h>
#include <lauxlib.h>
#include <lualib.h>
#include <stdio.h>
#include <string.h>

static lua_State *open_state(const char *kind) {
    lua_State *L = NULL;
    if (strcmp(kind, "stock") == 0) L = luaL_newstate();
#if LUA_VERSION_NUM >= 505
    if (strcmp(kind, "plain") == 0) L = lua_newstate(hak_lua_alloc, NULL, luaL_makeseed(NULL));
#else
    if (strcmp(kind, "plain") == 0) L = lua_newstate(hak_lua_alloc, NULL);
#endif
    if (L != NULL) {
        luaL_openlibs(L);
        return L;
    }
    hak_lua_options options = HAK_LUA_OPTIONS_INIT;
    options.private_heap = strcmp(kind, "private") == 0;
    options.hard_limit_bytes = (uint64_t)1 << 40;
    return options.private_heap || strcmp(kind, "account") == 0 ? hak_lua_open(&options) : NULL;
}

int main(int count, char **arguments) {
    lua_State *L = count > 2 ? open_state(arguments[1]) : NULL;
    if (L == NULL) return 2;
    int error = luaL_loadfile(L, arguments[2]);
    for (int index = 3; error == 0 && index < count; index++) lua_pushstring(L, arguments[index]);
    if (error == 0) error = lua_pcall(L, count - 3, 0, 0);
    if (error != 0) fprintf(stderr, "host: %s\n", lua_tostring(L, -1));
    return error != 0;
}
