/*
 * soft_limit.c - no request fails at a soft limit: one state with large strings above it, one whose script has stopped
 * the collector, and a state of another thread that frees and asks meanwhile.
 *
 *     soft_limit one | stopped | threads
 */
#include <hakmem_lua.h>
#include <lauxlib.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "host.h"

enum { LIMITS = 200, SOFT_MIN = 200000, SOFT_STEP = 1949, ROUNDS = 1000, OPENINGS_MAX = 100 };

/* The strings are larger than what their collected predecessors leave below the limit. */
static const char strings[] = "for round = 1, 30 do\n"
                              "    local kept = {}\n"
                              "    for number = 1, 200 do kept[number] = ('x'):rep(number * 20) end\n"
                              "    local large = ('y'):rep(70000 + round * 5000)\n"
                              "end\n";
static const char stopped[] = "collectgarbage('stop')\n"
                              "for number = 1, 20000 do local garbage = {number} end\n"
                              "collectgarbage('restart')\n";

static int run(lua_State *L, const char *script) {
    int failed = luaL_loadstring(L, script) != 0 || lua_pcall(L, 0, 0, 0) != 0;
    if (failed) fprintf(stderr, "soft_limit: %s\n", lua_tostring(L, -1));
    lua_settop(L, 0);
    return failed;
}

static lua_State *open_limited(uint64_t soft_limit_bytes) {
    hak_lua_options options = HAK_LUA_OPTIONS_INIT;
    options.soft_limit_bytes = soft_limit_bytes;
    options.hard_limit_bytes = 64 << 20;
    return hak_lua_open(&options);
}

static int run_one(const char *script) {
    int failures = 0;
    for (int number = 0; number < LIMITS; number++) {
        lua_State *L = open_limited(SOFT_MIN + (uint64_t)number * SOFT_STEP);
        if (L == NULL) return 1;
        failures += run(L, script);
        hak_lua_close(L);
    }
    return failures;
}

static lua_State *first;

static void *run_in_a_further_state(void *failures) {
    void *ud;
    lua_Alloc allocator = lua_getallocf(first, &ud);
    lua_State *L = NULL;
    for (int time = 0; L == NULL && time < OPENINGS_MAX; time++) /* refused where the account passes the limit */
        L = host_new_state(allocator, ud);
    if (L == NULL) return NULL;
    static const char script[] = "local kept = {} for number = 1, 2000 do kept[number % 300] = {number} end";
    for (int round = 0; round < ROUNDS; round++) *(int *)failures += run(L, script);
    lua_close(L);
    return failures;
}

static int run_threads(void) {
    int failures = 0, further_failures = 0;
    first = open_limited(300000);
    pthread_t thread;
    void *returned;
    if (first == NULL || pthread_create(&thread, NULL, run_in_a_further_state, &further_failures) != 0) return 1;
    for (int round = 0; round < ROUNDS / 20; round++) failures += run(first, strings);
    if (pthread_join(thread, &returned) != 0 || returned == NULL) return 1;
    hak_lua_close(first);
    return failures + further_failures;
}

int main(int argc, char **argv) {
    const char *kind = argc > 1 ? argv[1] : "";
    int failures = strcmp(kind, "one") == 0       ? run_one(strings)
                   : strcmp(kind, "stopped") == 0 ? run_one(stopped)
                                                  : run_threads();
    printf("%d failures\n", failures);
    return failures != 0 || hak_check() != 0;
}
