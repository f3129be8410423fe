/*
 * shared_account.c - states in other threads that take their memory by the allocator of a first one, which goes on in
 * its own: Lanes makes its states so. No request is refused that the limit allows, and what all have given back is not
 * counted any more.
 *
 *     shared_account ROUNDS [stock]     "stock": the first state is Lua's own, and nobody counts
 */
#include <hakmem_lua.h>
#include <lauxlib.h>
#include <lualib.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host.h"

enum { THREADS = 3 };

static const char script[] = "local kept = {}\n"
                             "for round = 1, 20 do\n"
                             "    for number = 1, 2000 do\n"
                             "        kept[number % 500] = { name = 'number ' .. number, [number] = round }\n"
                             "    end\n"
                             "end\n";

static lua_Alloc allocator;
static void *allocator_ud;
static int rounds;

static int open_libraries(lua_State *L) {
    luaL_openlibs(L);
    return 0;
}

/* Returns 0, or 1 after it has said what failed. */
static int run(lua_State *L) {
    if (luaL_loadstring(L, script) == 0 && lua_pcall(L, 0, 0, 0) == 0) return 0;
    fprintf(stderr, "shared_account: %s\n", lua_tostring(L, -1));
    return 1;
}

static void *use_the_allocator(void *failed) {
    for (int round = 0; round < rounds; round++) {
        lua_State *L = host_new_state(allocator, allocator_ud);
        if (L == NULL) return failed;
        lua_pushcfunction(L, open_libraries);
        if (lua_pcall(L, 0, 0, 0) != 0 || run(L) != 0) return failed;
        lua_close(L);
    }
    return NULL;
}

/* Once the state's garbage is gone. */
static hak_heap_stats_t stats_of(lua_State *L) {
    hak_heap_stats_t stats = HAK_HEAP_STATS_INIT;
    lua_gc(L, LUA_GCCOLLECT, 0);
    lua_gc(L, LUA_GCCOLLECT, 0);
    if (hak_lua_stats_get(hak_lua_state_of(L), &stats) != 0) exit(1);
    return stats;
}

int main(int argc, char **argv) {
    rounds = argc > 1 ? atoi(argv[1]) : 1;
    hak_lua_options options = HAK_LUA_OPTIONS_INIT;
    options.hard_limit_bytes = 64 << 20;
    int is_stock = argc > 2 && strcmp(argv[2], "stock") == 0;
    lua_State *L = is_stock ? luaL_newstate() : hak_lua_open(&options);
    if (is_stock && L != NULL) luaL_openlibs(L);
    if (L == NULL || run(L) != 0) return 1;
    allocator = lua_getallocf(L, &allocator_ud);
    hak_heap_stats_t before = HAK_HEAP_STATS_INIT;
    if (!is_stock) before = stats_of(L);

    pthread_t threads[THREADS];
    int failures = 0;
    for (int number = 0; number < THREADS; number++)
        if (pthread_create(&threads[number], NULL, use_the_allocator, &failures) != 0) return 1;
    for (int round = 0; round < rounds; round++) failures += run(L);
    for (int number = 0; number < THREADS; number++) {
        void *failed;
        (void)pthread_join(threads[number], &failed);
        failures += failed != NULL;
    }

    if (is_stock) {
        lua_close(L);
        return failures != 0;
    }
    hak_heap_stats_t after = stats_of(L);
    long long bytes = (long long)(after.used_bytes - before.used_bytes);
    long long blocks = (long long)(after.used_blocks - before.used_blocks);
    printf("%lld bytes and %lld blocks more than before, %llu refused\n", bytes, blocks,
           (unsigned long long)after.hard_refusals);
    hak_lua_close(L);
    return failures != 0 || hak_check() != 0;
}
