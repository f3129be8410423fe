/*
 * refusals.c - a script under 0, 1, 2, ... steps of memory, until it passes, so that each of its requests is refused
 * once.
 *
 *     refusals
 *
 * After each failure the state is closed under its limit, or gets memory and must run the script; nothing may be left
 * over. The script has run once before: Lua 5.4 that is refused memory while it makes the metatable of its first
 * large buffer keeps half of it, and fails with another message ever after. Prints how many rounds failed, shared
 * heap and private one.
 */
#include <hakmem_lua.h>
#include <lauxlib.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host.h"

enum { STEP_BYTES = 32, ROUNDS_MAX = 20000 };

static const char *const script =
    "local held = {} for number = 1, 60 do held[number] = {name = 'record ' .. number, number = number} end "
    "local functions = {} for number = 1, 20 do functions[number] = function() return held[number].name end end "
    "local parts = {} for number, each in ipairs(functions) do parts[number] = each() end "
    "local text = table.concat(parts, ','):rep(8):gsub('record', 'row') "
    "local make = coroutine.wrap(function() "
    "for number = 1, 5 do coroutine.yield({number, text:sub(number, 40)}) end end) "
    "for number = 1, 5 do assert(make()[1] == number) end "
    "setmetatable({}, {__gc = function() finalized = {text} end}) "
    "table.sort(held, function(one, other) return one.number > other.number end) "
    "assert(held[1].number == 60 and #text > 100)";

static uint64_t live_blocks(void) {
    hak_stats_t stats = HAK_STATS_INIT;
    REQUIRE(hak_stats_get(&stats) == 0);
    return stats.live_blocks;
}

/* Is it how Lua tells that it was refused memory? lua_checkstack only says that the stack cannot grow, and Lua 5.2 then
 * raises "stack overflow ()"; the script needs far less stack than Lua allows. */
static bool is_for_memory(const char *message) {
    return strstr(message, "not enough memory") != NULL || strstr(message, "stack overflow (") != NULL;
}

/* Did it pass? An error can only be for memory. */
static bool passes(lua_State *L) {
    int error = luaL_loadstring(L, script);
    if (error == 0) error = lua_pcall(L, 0, 0, 0);
    if (error != 0) {
        const char *message = lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1) : "no message";
        if (!is_for_memory(message)) fprintf(stderr, "error %d: %s\n", error, message);
        REQUIRE(is_for_memory(message));
    }
    lua_settop(L, 0);
    return error == 0;
}

static bool passes_with(uint64_t more_bytes, int private_heap, bool goes_on) {
    hak_lua_options options = HAK_LUA_OPTIONS_INIT;
    options.private_heap = private_heap;
    lua_State *L = hak_lua_open(&options);
    REQUIRE(L != NULL);
    REQUIRE(passes(L));
    lua_gc(L, LUA_GCCOLLECT, 0);
    hak_heap_stats_t stats = HAK_HEAP_STATS_INIT;
    REQUIRE(hak_lua_stats_get(hak_lua_state_of(L), &stats) == 0);
    REQUIRE(hak_lua_set_limit(hak_lua_state_of(L), 0, stats.used_bytes + more_bytes) == 0);
    bool has_passed = passes(L);
    if (!has_passed && goes_on) {
        REQUIRE(hak_lua_set_limit(hak_lua_state_of(L), 0, 0) == 0);
        REQUIRE(passes(L));
    }
    hak_lua_close(L);
    return has_passed;
}

int main(void) {
    for (int private_heap = 0; private_heap < 2; private_heap++) {
        uint64_t before = live_blocks();
        unsigned round = 0;
        while (!passes_with((uint64_t)round * STEP_BYTES, private_heap, round % 2 == 0)) {
            REQUIRE(live_blocks() == before);
            REQUIRE(++round < ROUNDS_MAX);
        }
        REQUIRE(live_blocks() == before && hak_check() == 0);
        printf("%u ", round);
    }
    printf("\n");
    return 0;
}
