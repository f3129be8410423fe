/*
 * footprint.c - resident memory per state, by the kernel's count: many small states, opened and used a little.
 *
 *     footprint stock|shared|private COUNT
 *
 * Prints the bytes per state while all are open, and the bytes that are left in all after they were closed.
 */
#include <hakmem_lua.h>
#include <lauxlib.h>
#include <lualib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static long resident_kib(void) {
    FILE *file = fopen("/proc/self/smaps_rollup", "r");
    char line[256];
    long kib = -1;
    while (file != NULL && kib < 0 && fgets(line, sizeof line, file) != NULL) (void)sscanf(line, "Rss: %ld kB", &kib);
    if (file != NULL) fclose(file);
    return kib;
}

static lua_State *open_state(const char *kind) {
    if (strcmp(kind, "stock") == 0) {
        lua_State *L = luaL_newstate();
        if (L != NULL) luaL_openlibs(L);
        return L;
    }
    hak_lua_options options = HAK_LUA_OPTIONS_INIT;
    options.private_heap = strcmp(kind, "private") == 0;
    return hak_lua_open(&options);
}

static void close_state(const char *kind, lua_State *L) {
    if (strcmp(kind, "stock") == 0)
        lua_close(L);
    else
        hak_lua_close(L);
}

static const char *const a_little = "local seen = {} "
                                    "function handle(request) seen[#seen + 1] = request return #seen end "
                                    "for number = 1, 16 do handle({id = number, name = 'n' .. number}) end";

int main(int argument_count, char **arguments) {
    long count = argument_count == 3 ? strtol(arguments[2], NULL, 10) : 0;
    if (count < 1) return 2;
    const char *kind = arguments[1];
    lua_State **states = calloc((size_t)count, sizeof *states);
    if (states == NULL) return 1;
    memset(states, 1, (size_t)count * sizeof *states); /* resident before the first look */
    close_state(kind, open_state(kind));
    long before = resident_kib();
    for (long number = 0; number < count; number++) {
        states[number] = open_state(kind);
        if (states[number] == NULL || luaL_loadstring(states[number], a_little) != 0 ||
            lua_pcall(states[number], 0, 0, 0) != 0)
            return 1;
    }
    long held = resident_kib();
    for (long number = 0; number < count; number++) close_state(kind, states[number]);
    printf("%ld %ld\n", (held - before) * 1024 / count, (resident_kib() - before) * 1024);
    return 0;
}
