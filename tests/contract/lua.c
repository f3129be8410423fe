/*
 * lua.c - a stock Lua as a runtime: a state whose script asks for the module.
 *
 *     lua SCENARIO
 *
 * Each thread has a state of its own, and its requests go through that state's allocator, as Lua's do.
 */
#include <lauxlib.h>
#include <lualib.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "../require.h"
#include "runtime.h"

#if __has_include(<luajit.h>)
#define IS_LUAJIT true
#else
#define IS_LUAJIT false
#endif

static _Thread_local lua_State *L;

/* A host's own, as a limit would need it. */
static void *host_alloc(void *ud, void *block, size_t bytes, size_t new_bytes) {
    (void)ud, (void)bytes;
    if (new_bytes != 0) return realloc(block, new_bytes);
    free(block);
    return NULL;
}

/* The answer of a script: true or false. An error ends the program. */
static bool is_true(const char *script) {
    if (luaL_loadstring(L, script) != 0 || lua_pcall(L, 0, 1, 0) != 0) {
        fprintf(stderr, "%s\n", lua_tostring(L, -1));
        _Exit(1);
    }
    bool is = lua_toboolean(L, -1);
    lua_pop(L, 1);
    return is;
}

static void begin(bool is_unsafe) {
    L = is_unsafe ? lua_newstate(host_alloc, NULL) : luaL_newstate();
    REQUIRE(L != NULL);
    luaL_openlibs(L);
}

static bool enable(void) {
    return is_true("local is_loaded, hakmem = pcall(require, 'hakmem')\n"
                   "if not is_loaded then io.stderr:write(hakmem, '\\n') return false end\n"
                   "if package.loaded.again then return hakmem.enable() end\n"
                   "package.loaded.again = true\n"
                   "return hakmem.is_enabled()");
}

static void disable(void) { (void)is_true("require('hakmem').disable()"); }

static void begin_thread(void) {
    begin(false);
    REQUIRE(enable());
}

static void end_thread(void) { lua_close(L); }

static void nothing(void) {}

static void *ask(void *block, size_t bytes, size_t new_bytes) {
    void *ud;
    lua_Alloc allocate = lua_getallocf(L, &ud);
    return allocate(ud, block, bytes, new_bytes);
}

static void *make(size_t bytes) { return ask(NULL, 0, bytes); }
static void drop(void *block, size_t bytes) { (void)ask(block, bytes, 0); }

int main(int count, char **words) {
    static const Runtime runtime = {
        .begin = begin,
        .enable = enable,
        .disable = disable,
        .begin_thread = begin_thread,
        .end_thread = end_thread,
        .pause = nothing,
        .go_on = nothing,
        .make = make,
        .resize = ask,
        .drop = drop,
        .make_foreign = make,
        .fork_process = fork,
        .has_own_heap = IS_LUAJIT,
        .has_shared_blocks = false,
    };
    contract_run(&runtime, count, words);
}
