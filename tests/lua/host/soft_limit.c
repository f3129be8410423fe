/*
 * soft_limit.c - no request fails at a soft limit: one state with large strings above it, one whose script has stopped
 * the collector, and a state of another thread that frees and asks meanwhile. A further state that passes the limit
 * while it is opened is refused once or twice.
 *
 *     soft_limit one | stopped | threads | openings
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

enum { ROOM_MAX = 12000, ROOM_STEP = 64, REFUSALS_MAX = 2 };

/* lua_newstate frees all that it has when it is refused, so that the limit is armed again. */
static int run_openings(void) {
    int failures = 0;
    hak_heap_stats_t stats = HAK_HEAP_STATS_INIT;
    lua_State *L = open_limited(0);
    if (L == NULL) return 1;
    void *ud;
    lua_Alloc allocator = lua_getallocf(L, &ud);
    if (hak_lua_stats_get(hak_lua_state_of(L), &stats) != 0) return 1;
    for (uint64_t room = 0; room < ROOM_MAX; room += ROOM_STEP) {
        (void)hak_lua_set_limit(hak_lua_state_of(L), stats.used_bytes + room, 64 << 20);
        int refusals = 0;
        lua_State *further;
        while ((further = host_new_state(allocator, ud)) == NULL && refusals < OPENINGS_MAX) refusals++;
        failures += refusals > REFUSALS_MAX;
        if (further != NULL) lua_close(further);
    }
    hak_lua_close(L);
    return failures;
}

int main(int argc, char **argv) {
    const char *kind = argc > 1 ? argv[1] : "";
    int failures = strcmp(kind, "one") == 0        ? run_one(strings)
                   : strcmp(kind, "stopped") == 0  ? run_one(stopped)
                   : strcmp(kind, "openings") == 0 ? run_openings()
                                                   : run_threads();
    printf("%d failures\n", failures);
    return failures != 0 || hak_check() != 0;
}
